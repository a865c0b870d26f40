"""Who asks, and how often they have: a session's copy and a use of a limit by one script."""

import time
from typing import NamedTuple

from storage.limits import Policy, Taken, limit_key, taken_of
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.sessions import COPY_KEY, proof
from storage.timeline_layout import TIMELINE_KEY, TIMELINE_TTL_SECONDS

ADMIT = Script("admit")


class Claimant(NamedTuple):
    """Who a token says it is of, not yet believed."""

    user_id: int
    session_id: int
    secret_sha256: str


class Admission(NamedTuple):
    """What the cache says to it."""

    expires_at: int
    """When the session ends, in Unix seconds; 0 where the copy is missing or of another token: then
    nothing was counted, and nobody is signed in."""
    taken: Taken

    @property
    def proved(self) -> bool:
        """Whether the token is a session's that has not ended."""
        return self.expires_at > time.time()


class Admissions:
    """Sessions and uses counted under one policy. Raises StorageUnavailableError."""

    def __init__(self, cache: Server, policy: Policy) -> None:
        self._cache = cache
        self.policy = policy
        self._question = _template(policy)
        self._readers_question = _template(policy, reader=True)

    def admit(self, claimant: Claimant) -> Admission:
        """Session and use, in one round trip."""
        [reply] = self._cache.ask([self._filled(self._question, claimant)], ADMIT)
        return self.admission(reply)

    def of_reader(self, claimant: Claimant) -> bytes:
        """The packed command for who reads their timeline, which lives on by it.

        ADMIT has to be known to the server.
        """
        return self._filled(self._readers_question, claimant, claimant.user_id)

    def admission(self, reply: tuple[bytes | None, int, int]) -> Admission:
        """What ADMIT was answered."""
        expires_at, used, left_ms = reply
        return Admission(int(expires_at or 0), taken_of(self.policy, used, left_ms))

    def _filled(self, template: bytes, claimant: Claimant, *reader_id: int) -> bytes:
        limit = limit_key(self.policy, str(claimant.user_id)).encode()
        known = proof(claimant.user_id, claimant.secret_sha256)
        return template % (claimant.session_id, limit, *reader_id, len(known), known)


def _template(policy: Policy, *, reader: bool = False) -> bytes:
    """ADMIT's packed call: session id, limit's key, a reader's id, the proof with its length."""
    session, limit, timeline = (
        (COPY_KEY % 0).encode(),
        limit_key(policy, "").encode(),
        TIMELINE_KEY % 0,
    )
    keys = [session, limit, *([timeline] if reader else [])]
    packed = ADMIT.call(keys, [policy.window_seconds, TIMELINE_TTL_SECONDS, b"?"])
    packed = packed.replace(session, COPY_KEY.encode()).replace(limit, b"%b")
    return packed.replace(timeline, TIMELINE_KEY).removesuffix(pack(b"?")[4:]) + b"$%d\r\n%b\r\n"
