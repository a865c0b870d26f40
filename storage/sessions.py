"""Copies of sessions (`s:`), which the token of each request is checked against.

A copy is in the partition of the session's user: the token names both.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from storage.redis.partitions import COUNT, TAG_BYTES, TAGS, partition_of
from storage.redis.protocol import pack
from storage.redis.server import Server
from storage.reservations import Reservations, copy_or_none

COPY_TTL_SECONDS = 86_400
"""The longest TTL of a copy. A copy never outlives its session."""
DROPPED_AT_ONCE = 1_000
"""Copies that one command deletes: half a millisecond of the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCopy:
    """What a token is checked against. `expires_at` in Unix seconds, `secret_sha256` in hex."""

    user_id: int
    secret_sha256: str
    expires_at: int

    def to_bytes(self) -> bytes:
        """The stored form of the copy."""
        return copy_prefix(self.user_id, self.secret_sha256) + b"%d" % self.expires_at

    @classmethod
    def from_bytes(cls, value: bytes) -> Self | None:
        """The copy, or None if the value is not one."""
        try:
            user_id, secret_sha256, expires_at = value.decode().split(" ")
            return cls(
                user_id=int(user_id), secret_sha256=secret_sha256, expires_at=int(expires_at)
            )
        except ValueError:
            return None


class SessionCopies:
    """Session copies: reserved before the graph is read, filled if still reserved."""

    def __init__(self, cache: Server, reservations: Reservations) -> None:
        self._cache = cache
        self._reservations = reservations

    def read(self, user_id: int, session_id: int) -> SessionCopy | None:
        """The copy, which may have expired. None if missing: then the graph must be read."""
        [reply] = self._cache.execute([pack_read(user_id, session_id)])
        return parse_read(reply)

    def reserve(self, user_id: int, session_id: int) -> str | None:
        """A token for `fill`, to be taken before the graph is read. None if the key exists."""
        return self._reservations.reserve(copy_key(user_id, session_id))

    def fill(self, session_id: int, token: str, copy: SessionCopy) -> bool:
        """Write the copy under its user. False if it has expired or its reservation is gone."""
        left = copy.expires_at - int(time.time())
        if left <= 0:
            return False
        key, ttl_seconds = copy_key(copy.user_id, session_id), min(left, COPY_TTL_SECONDS)
        return self._reservations.fill(key, token, copy.to_bytes(), ttl_seconds)

    def drop(self, user_id: int, session_ids: Sequence[int]) -> None:
        """Delete the user's copies and reservations, before the 2xx of a sign-out.

        Raises StorageUnavailableError: then the answer must not be 2xx.
        """
        for start in range(0, len(session_ids), DROPPED_AT_ONCE):
            part = session_ids[start : start + DROPPED_AT_ONCE]
            with self._cache.guard():
                self._cache.client.delete(*[copy_key(user_id, i) for i in part])


COPY_KEY = "s:{%s}%014x"
"""The tag is that of the session's user. Of fixed width, so that commands can be packed by
formatting alone."""


def copy_key(user_id: int, session_id: int) -> str:
    """The key of the copy, in the partition of the session's user."""
    return COPY_KEY % (TAGS[partition_of(user_id)], session_id)


def pack_read(user_id: int, session_id: int) -> bytes:
    """The packed command that reads the copy."""
    return _READ % (TAG_BYTES[user_id % COUNT], session_id)


def parse_read(reply: bytes | None) -> SessionCopy | None:
    """The copy in a reply to `pack_read`: None if it is missing, only reserved, or no copy."""
    copy = copy_or_none(reply)
    return None if copy is None else SessionCopy.from_bytes(copy)


def copy_prefix(user_id: int, secret_sha256: str) -> bytes:
    """The first bytes of a session's copy. Only the session's token has the secret they need."""
    return f"{user_id} {secret_sha256} ".encode()


_READ = pack(b"GET", copy_key(0, 0).encode()).replace(copy_key(0, 0).encode(), b"s:{%b}%014x")
