"""Idempotency keys: a repeated request with the same key gets the result of the first."""

from dataclasses import dataclass

from graph.connection import Connection
from graph.queries import load

BY_KEY = load("idempotency_keys/by_key")
FREE = load("idempotency_keys/free")
DELETE_EXPIRED = load("idempotency_keys/delete_expired")

KEY_LIFE_MS = 86_400_000
"""Lifetime of a key, in milliseconds: one day."""

CREATE_ATTEMPTS = 4
"""Attempts at a write whose key has expired: another request may reuse the key in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """The fingerprint of a key's request body, and the id of the object that it created."""

    fingerprint: str
    result_id: int


class IdempotencyKeys:
    """Finds and deletes keys. The statement that creates an object also creates its key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_key(self, user_id: int, key: str) -> IdempotencyKey | None:
        """A user's key; None if it does not exist or has expired."""
        rows = self._connection.read(BY_KEY, user_id=user_id, key=key)
        return IdempotencyKey(**rows[0]) if rows else None

    def free(self, user_id: int, key: str) -> None:
        """Delete a key if it has expired; the sweeper may not have deleted it yet."""
        self._connection.write(FREE, user_id=user_id, key=key)

    def delete_expired(self, limit: int) -> int:
        """Delete up to `limit` expired keys; returns how many."""
        return int(self._connection.write(DELETE_EXPIRED, limit=limit)[0]["deleted"])
