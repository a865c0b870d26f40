"""Admissions: checks a request's session and counts its use of a limit, in one script."""

import time
from typing import NamedTuple

from storage.limits import LimitUse, Policy, limit_key, limit_use
from storage.redis.partitions import tag_of
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server
from storage.sessions import copy_key, copy_prefix

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

    def admit(self, session: UnverifiedSession) -> Admission:
        """Check the session and count a use, in one round trip."""
        [reply] = self._cache.execute([self.pack(session)], ADMIT)
        return self.parse(reply)

    def pack(self, session: UnverifiedSession) -> bytes:
        """The packed call of ADMIT, which the server must have."""
        user_id = session.user_id
        limit = limit_key(self.policy, user_id).encode()
        prefix = copy_prefix(user_id, session.secret_sha256)
        arguments = (tag_of(user_id), session.session_id, limit, len(prefix), prefix)
        return self._template % arguments

    def parse(self, reply: tuple[bytes | None, int, int]) -> Admission:
        """The admission in a reply of ADMIT."""
        expires_at, used, left_ms = reply
        return Admission(int(expires_at or 0), limit_use(self.policy, used, left_ms))


def _template(policy: Policy) -> bytes:
    """A packed call of ADMIT to be formatted with tag, session id, limit key, length, prefix."""
    session, limit = copy_key(0, 0).encode(), limit_key(policy, 0).encode()
    packed = ADMIT.pack_call([session, limit], [policy.window_seconds, b"?"])
    packed = packed.replace(session, b"s:{%b}%014x").replace(limit, b"%b")
    return packed.removesuffix(pack(b"?")[4:]) + b"$%d\r\n%b\r\n"
