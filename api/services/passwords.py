"""Passwords: argon2id, at most two at once, and as long for nobody as for somebody."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.services.errors import TooBusyError
from bounds.turns import Turns

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
        self._turns = Turns(_AT_ONCE, wait_seconds=_WAIT_SECONDS)
        self._nobodys = self._hasher.hash("nobody has this password")

    def hashed(self, password: str) -> str:
        """The password's argon2id hash with a salt of its own. Raises TooBusyError."""
        with self._turns.one(TooBusyError):
            return self._hasher.hash(password)

    def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is of this password. None never fits, and takes as long to say so."""
        with self._turns.one(TooBusyError):
            try:
                fits = self._hasher.verify(password_hash or self._nobodys, password)
            except (VerificationError, InvalidHashError):
                return False
        return fits and password_hash is not None
