"""A circuit breaker for one server: without it, a server that hangs blocks every thread."""

import threading
import time

import redis

from storage.errors import StorageRefusedError, StorageUnavailableError

FAILURES_TO_OPEN = 5
"""Consecutive failures that open the circuit."""
FORGET_SECONDS = 5.0
"""The count of failures restarts when the last failure is older than this."""
OPEN_SECONDS = 1.0
"""How long an open circuit refuses every call. After that, one call probes the server."""


class Circuit:
    """Counts failures and translates redis exceptions. An open circuit refuses calls unsent."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at = 0.0
        self._open_until = 0.0

    def guard(self) -> "Circuit":
        """Run a call to the server. Raises StorageUnavailableError for any failure of it.

        Raises StorageRefusedError if the server replied and would reply the same again.
        """
        return self

    def __enter__(self) -> None:
        self._refuse_if_open()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        if error is None:
            self._record_success()
        elif isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)):
            self._record_failure()
            raise StorageUnavailableError(self._part, type(error).__name__) from error
        elif isinstance(error, redis.RedisError):
            self._record_success()  # an error reply: the server is up
            kind = StorageUnavailableError if _is_transient(error) else StorageRefusedError
            raise kind(self._part, str(error)) from error

    def _refuse_if_open(self) -> None:
        if self._failures < FAILURES_TO_OPEN:
            return
        with self._lock:
            now = time.monotonic()
            if now < self._open_until:
                raise StorageUnavailableError(self._part, "circuit open after repeated failures")
            # This call is the probe. If it never returns, the next probe is due OPEN_SECONDS later.
            self._open_until = now + OPEN_SECONDS

    def _record_failure(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._failed_at > FORGET_SECONDS:
                self._failures = 0
            self._failures += 1
            self._failed_at = now
            if self._failures >= FAILURES_TO_OPEN:
                self._open_until = now + OPEN_SECONDS

    def _record_success(self) -> None:
        if self._failures:
            with self._lock:
                self._failures = 0


def _is_transient(error: redis.RedisError) -> bool:
    """Whether the same command may succeed later.

    A transient error has a code (OOM, BUSY, MISCONF, READONLY …). redis-py maps the code to a
    subclass or leaves it as the first word. Of a permanent error it removes the code ERR.
    """
    code = str(error).partition(" ")[0]
    return type(error) is not redis.ResponseError or (code.isupper() and code != "WRONGTYPE")
