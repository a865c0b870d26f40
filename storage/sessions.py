"""Copies of sessions (`s:` and the id), which the token of each request is checked against."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from storage.redis.protocol import pack
from storage.redis.server import Server
from storage.reservations import Reservations, copy_or_none

COPY_TTL_SECONDS = 86_400
"""The longest TTL of a copy. A copy never outlives its session."""


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

    def read(self, session_id: int) -> SessionCopy | None:
        """The copy, which may have expired. None if missing: then the graph must be read."""
        [value] = self._cache.execute([pack(b"GET", copy_key(session_id).encode())])
        copy = copy_or_none(value)
        return None if copy is None else SessionCopy.from_bytes(copy)

    def reserve(self, session_id: int) -> str | None:
        """A token for `fill`, to be taken before the graph is read. None if the key exists."""
        return self._reservations.reserve(copy_key(session_id))

    def fill(self, session_id: int, token: str, copy: SessionCopy) -> bool:
        """Write the copy. False if it has expired or its reservation no longer exists."""
        left = copy.expires_at - int(time.time())
        if left <= 0:
            return False
        ttl_seconds = min(left, COPY_TTL_SECONDS)
        return self._reservations.fill(copy_key(session_id), token, copy.to_bytes(), ttl_seconds)

    def drop(self, session_ids: Sequence[int]) -> None:
        """Delete copies and reservations in one command, before the 2xx of a sign-out.

        Raises StorageUnavailableError: then the answer must not be 2xx.
        """
        if session_ids:
            with self._cache.guard():
                self._cache.client.delete(*map(copy_key, session_ids))


COPY_KEY = "s:%014x"
"""Of fixed width, so that commands can be packed by formatting alone."""


def copy_key(session_id: int) -> str:
    """The key of the copy."""
    return COPY_KEY % session_id


def copy_prefix(user_id: int, secret_sha256: str) -> bytes:
    """The first bytes of a session's copy. Only the session's token has the secret they need."""
    return f"{user_id} {secret_sha256} ".encode()
