"""Copies of sessions for the check of each request, `s:` and the id; the graph has the sessions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from storage.claims import Claims, unclaimed
from storage.redis.protocol import pack
from storage.redis.server import Server

COPY_TTL_SECONDS = 86_400
"""The longest a copy lives; never longer than its session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCopy:
    """What checking a token needs. `expires_at` is in Unix seconds, `secret_sha256` is hex."""

    user_id: int
    secret_sha256: str
    expires_at: int

    def to_bytes(self) -> bytes:
        """The copy as it is stored."""
        return proof(self.user_id, self.secret_sha256) + b"%d" % self.expires_at

    @classmethod
    def from_bytes(cls, value: bytes) -> Self | None:
        """The copy, or None where the value is not one."""
        try:
            user_id, secret_sha256, expires_at = value.decode().split(" ")
            return cls(
                user_id=int(user_id), secret_sha256=secret_sha256, expires_at=int(expires_at)
            )
        except ValueError:
            return None


class SessionCopies:
    """Session copies, claimed before the graph is read and filled if the claim still stands."""

    def __init__(self, cache: Server, claims: Claims) -> None:
        self._cache = cache
        self._claims = claims

    def read(self, session_id: int) -> SessionCopy | None:
        """The copy, expired or not, or None: then the graph is asked."""
        [value] = self._cache.ask([pack(b"GET", copy_key(session_id).encode())])
        copy = unclaimed(value)
        return None if copy is None else SessionCopy.from_bytes(copy)

    def claim(self, session_id: int) -> str | None:
        """A token for `fill`, to be taken before the graph is read; None where something stands."""
        return self._claims.claim(copy_key(session_id))

    def fill(self, session_id: int, token: str, copy: SessionCopy) -> bool:
        """Whether the claim still stood and the copy was written; an expired one never is."""
        left = copy.expires_at - int(time.time())
        if left <= 0:
            return False
        ttl_seconds = min(left, COPY_TTL_SECONDS)
        return self._claims.fill(copy_key(session_id), token, copy.to_bytes(), ttl_seconds)

    def drop(self, session_ids: Sequence[int]) -> None:
        """Removes copies and claims, in one command: to be done before the 2xx of a sign-out.

        Raises StorageUnavailableError: then no 2xx may be given.
        """
        if session_ids:
            with self._cache.guard():
                self._cache.client.delete(*map(copy_key, session_ids))


COPY_KEY = "s:%014x"
"""Of fixed width, so that commands can be packed by formatting alone."""


def copy_key(session_id: int) -> str:
    """Where the copy is."""
    return COPY_KEY % session_id


def proof(user_id: int, secret_sha256: str) -> bytes:
    """What the copy of a session begins with, which only its token can tell."""
    return f"{user_id} {secret_sha256} ".encode()
