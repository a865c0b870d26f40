"""A short breaker before a store: one that hangs does not hold every thread for its time-out."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from storage.errors import StorageRefusedError, StorageUnavailableError

FAILURES_TO_OPEN = 5
"""Failures without a success between them after which nothing is tried for a moment."""
FORGET_SECONDS = 5.0
"""A failure that old says nothing about now: they count afresh after it."""
OPEN_SECONDS = 1.0
"""How long calls are refused at once; then one is let through, and its outcome decides."""


class Circuit:
    """Translates redis's exceptions and counts them; open, it refuses before anything is sent."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at = 0.0
        self._open_until = 0.0

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Runs a call to the store. Raises StorageUnavailableError, whatever goes wrong there.

        StorageRefusedError where it answered, and would answer the same again.
        """
        self._admit()
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            self._failed()
            raise StorageUnavailableError(self._part, type(error).__name__) from error
        except redis.RedisError as error:  # it answered: refused, out of memory, no such script
            kind = StorageUnavailableError if _passes(error) else StorageRefusedError
            raise kind(self._part, str(error)) from error
        else:
            self._succeeded()

    def _admit(self) -> None:
        if self._failures < FAILURES_TO_OPEN:
            return
        with self._lock:
            now = time.monotonic()
            if now < self._open_until:
                raise StorageUnavailableError(self._part, "left alone after repeated failures")
            # This call is the probe. Should its thread never come back, the next one is due then.
            self._open_until = now + OPEN_SECONDS

    def _failed(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._failed_at > FORGET_SECONDS:
                self._failures = 0
            self._failures += 1
            self._failed_at = now
            if self._failures >= FAILURES_TO_OPEN:
                self._open_until = now + OPEN_SECONDS

    def _succeeded(self) -> None:
        if self._failures:
            with self._lock:
                self._failures = 0


def _passes(error: redis.RedisError) -> bool:
    """Whether the same command may be answered otherwise later.

    What passes has a code (OOM, BUSY, MISCONF, READONLY …), which redis-py makes a class of or
    leaves as the first word; it takes away only the ERR of a command that is wrong for good.
    """
    code = str(error).partition(" ")[0]
    return type(error) is not redis.ResponseError or (code.isupper() and code != "WRONGTYPE")
