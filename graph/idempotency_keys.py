"""What a client's repeated request gets: the result of the first."""

from dataclasses import dataclass

from graph.connection import Connection
from graph.queries import load

BY_KEY = load("idempotency_keys/by_key")
FREE = load("idempotency_keys/free")
DELETE_EXPIRED = load("idempotency_keys/delete_expired")

KEY_LIFE_MS = 86_400_000
"""For how long a key holds: a day."""


TRIES = 4
"""How often a key that expired is freed and wanted again: others may want it at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """The fingerprint of the body that a key was sent with, and the id of what it made."""

    fingerprint: str
    result_id: int


class IdempotencyKeys:
    """Finds and forgets keys; they are created with what they made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_key(self, user_id: int, key: str) -> IdempotencyKey | None:
        """What a user's key stands for; None if it is new or has expired."""
        rows = self._connection.read(BY_KEY, user_id=user_id, key=key)
        return IdempotencyKey(**rows[0]) if rows else None

    def free(self, user_id: int, key: str) -> None:
        """Delete a key that has expired before the sweeper comes to it."""
        self._connection.write(FREE, user_id=user_id, key=key)

    def delete_expired(self, limit: int) -> int:
        """Forget up to `limit` expired keys; how many."""
        return int(self._connection.write(DELETE_EXPIRED, limit=limit)[0]["deleted"])
