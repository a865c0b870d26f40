"""Password hashing: argon2id, at most two hashes at the same time in one process."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.services.errors import TooBusyError
from bounds.turns import Turns

MAX_PASSWORD_BYTES = 1024
"""A longer password is refused with 422: it would only cost time."""

_MAX_CONCURRENT = 2
"""Hashes computed at the same time, of 19 MiB each: more would take the cores from the feed."""

_WAIT_SECONDS = 2.0
"""How long a request waits for its hash to begin; then TooBusyError."""


class Passwords:
    """Hashes and verifies passwords. Both raise TooBusyError."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turns = Turns(_MAX_CONCURRENT, wait_seconds=_WAIT_SECONDS)
        self._dummy_hash = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The argon2id hash of the password, with a new salt."""
        with self._turns.turn(TooBusyError):
            return self._hasher.hash(password)

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password has this hash.

        Without a hash it is False after the same time: a dummy hash is verified, so that the time
        does not show whether a username exists.
        """
        with self._turns.turn(TooBusyError):
            try:
                matches = self._hasher.verify(password_hash or self._dummy_hash, password)
            except (VerificationError, InvalidHashError):
                return False
        return matches and password_hash is not None
