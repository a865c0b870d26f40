"""Passwords: argon2id, at most two at once, and as long for nobody as for somebody."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.services.errors import TooBusyError

MAX_PASSWORD_BYTES = 1024
"""More would only cost time; 422 beyond."""

_AT_ONCE = 2
"""Hashes of 19 MiB running together in one process: more would take the cores from the feed."""

_WAIT_SECONDS = 2.0
"""How long a request waits for its turn before it is told to come again."""


class Passwords:
    """Hashes and checks passwords under a bound."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash("nobody has this password")

    def hashed(self, password: str) -> str:
        """The password's argon2id hash with a salt of its own. Raises TooBusyError."""
        with self._turn():
            return self._hasher.hash(password)

    def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is of this password. None never fits, and takes as long to say so."""
        with self._turn():
            try:
                fits = self._hasher.verify(password_hash or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        return fits and password_hash is not None

    def _turn(self) -> "_Turn":
        return _Turn(self._turns)


class _Turn:
    """One of the bounded places, given back at the end."""

    def __init__(self, turns: threading.BoundedSemaphore) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        if not self._turns.acquire(timeout=_WAIT_SECONDS):
            raise TooBusyError

    def __exit__(self, *_: object) -> None:
        self._turns.release()
