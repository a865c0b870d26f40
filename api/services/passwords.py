"""Password hashing: argon2id, at most two hashes at the same time in one process.

A password is hashed in NFC: keyboards of different systems send the same letters in different
forms. Versions before this rule hashed the form that was sent, so that form is tried too.
"""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from api.services.errors import TooBusyError
from bounds.turns import Turns

MAX_PASSWORD_BYTES = 1024
"""A longer password is refused with 422: it would only cost time."""

TIME_COST, MEMORY_KIB = 2, 19 * 1024
"""Rounds and memory of a hash. If they rise, a sign-in replaces the user's older hash."""

_MAX_CONCURRENT = 2
"""Hashes computed at the same time, of 19 MiB each: more would take the cores from the feed."""

_WAIT_SECONDS = 0.3
"""How long a request waits for its hash to begin, and holds a thread meanwhile; then TooBusyError.
About ten hashes take so long."""
_BUSY_SECONDS = 1.0
"""After a wait in vain, for so long only _BUSY_LINE requests wait."""
_BUSY_LINE = 1
"""Requests that wait in a busy period, so that a turn that ends is used at once."""


class Passwords:
    """Hashes and verifies passwords. Both raise TooBusyError."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1)
        self._turns = Turns(
            _MAX_CONCURRENT,
            wait_seconds=_WAIT_SECONDS,
            busy_seconds=_BUSY_SECONDS,
            busy_line=_BUSY_LINE,
        )
        self._rehashing = threading.Lock()
        self._dummy_hash = self._hasher.hash("nobody has this password")

    def hash(self, password: str) -> str:
        """The argon2id hash of the password, with a new salt."""
        with self._turns.turn(TooBusyError):
            return self._hasher.hash(_nfc(password))

    def verify(self, password_hash: str, *passwords: str) -> bool:
        """Whether one of the passwords has this hash, in NFC or as it was sent."""
        with self._turns.turn(TooBusyError):
            return any(
                self._has_hash(form, password_hash)
                for password in passwords
                for form in _forms(password)
            )

    def form_with_hash(self, password: str, password_hash: str | None) -> str | None:
        """The form of the password that has this hash: NFC, or as it was sent; None if neither has.

        Without a hash it is None after the same time: a dummy hash is verified, so that the time
        does not show whether a username exists. All forms are checked in one turn: TooBusyError
        shows of none of them whether it is right.
        """
        with self._turns.turn(TooBusyError):
            for form in _forms(password):
                if self._has_hash(form, password_hash):
                    return form
        return None

    @contextmanager
    def rehash_turn(self) -> Iterator[bool]:
        """Whether the caller may replace a hash now: one at a time, so that sign-ins go first."""
        is_free = self._rehashing.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._rehashing.release()

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with less memory or fewer rounds than hashes are made with now.

        A hash of higher parameters stays.
        """
        try:
            made = extract_parameters(password_hash)
        except InvalidHashError:
            return False
        return (
            made.memory_cost < self._hasher.memory_cost or made.time_cost < self._hasher.time_cost
        )

    def _has_hash(self, form: str, password_hash: str | None) -> bool:
        try:
            matches = self._hasher.verify(password_hash or self._dummy_hash, form)
        except (VerificationError, InvalidHashError):
            return False
        return matches and password_hash is not None


def is_nfc(form: str) -> bool:
    """Whether a form of a password is the one that is hashed now."""
    return unicodedata.is_normalized("NFC", form)


def _forms(password: str) -> tuple[str, ...]:
    """One form, or two if the password was not sent in NFC."""
    return tuple(dict.fromkeys((_nfc(password), password)))


def _nfc(password: str) -> str:
    """The password in NFC: at most three times as many bytes."""
    return unicodedata.normalize("NFC", password)
