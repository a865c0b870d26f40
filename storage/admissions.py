"""Admissions: checks a request's session and counts its use of a limit, in one script."""

import time
from typing import NamedTuple

from storage.limits import LimitUse, Policy, limit_key, limit_use
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.sessions import COPY_KEY, copy_prefix
from storage.timeline_layout import TIMELINE_KEY, TIMELINE_TTL_SECONDS

ADMIT = Script("admit")


class UnverifiedSession(NamedTuple):
    """The session that a token names. The token may be forged."""

    user_id: int
    session_id: int
    secret_sha256: str


class Admission(NamedTuple):
    """The cache's reply to a token."""

    expires_at: int
    """End of the session in Unix seconds. 0 if the cache has no copy or the token is not of this
    session: then no use was counted."""
    limit_use: LimitUse

    @property
    def is_authenticated(self) -> bool:
        """Whether the token is of a session that has not ended."""
        return self.expires_at > time.time()


class Admissions:
    """Admits requests under one policy. Methods raise StorageUnavailableError."""

    def __init__(self, cache: Server, policy: Policy) -> None:
        self._cache = cache
        self.policy = policy
        self._template = _template(policy)
        self._reader_template = _template(policy, reader=True)

    def admit(self, session: UnverifiedSession) -> Admission:
        """Check the session and count a use, in one round trip."""
        [reply] = self._cache.execute([self._fill(self._template, session)], ADMIT)
        return self.parse(reply)

    def pack_for_reader(self, session: UnverifiedSession) -> bytes:
        """The packed command for a request that reads the user's timeline; renews its TTL.

        The server must have ADMIT.
        """
        return self._fill(self._reader_template, session, session.user_id)

    def parse(self, reply: tuple[bytes | None, int, int]) -> Admission:
        """The admission in a reply of ADMIT."""
        expires_at, used, left_ms = reply
        return Admission(int(expires_at or 0), limit_use(self.policy, used, left_ms))

    def _fill(self, template: bytes, session: UnverifiedSession, *reader_id: int) -> bytes:
        limit = limit_key(self.policy, str(session.user_id)).encode()
        prefix = copy_prefix(session.user_id, session.secret_sha256)
        return template % (session.session_id, limit, *reader_id, len(prefix), prefix)


def _template(policy: Policy, *, reader: bool = False) -> bytes:
    """A packed call of ADMIT to be formatted with session id, limit key, reader's id, and prefix.

    The reader's id only if `reader`; the length of the prefix comes before the prefix.
    """
    session, limit, timeline = (
        (COPY_KEY % 0).encode(),
        limit_key(policy, "").encode(),
        TIMELINE_KEY % 0,
    )
    keys = [session, limit, *([timeline] if reader else [])]
    packed = ADMIT.pack_call(keys, [policy.window_seconds, TIMELINE_TTL_SECONDS, b"?"])
    packed = packed.replace(session, COPY_KEY.encode()).replace(limit, b"%b")
    return packed.replace(timeline, TIMELINE_KEY).removesuffix(pack(b"?")[4:]) + b"$%d\r\n%b\r\n"
