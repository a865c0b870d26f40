"""A circuit breaker for one server: without it, a server that hangs blocks every thread.

Each client has a subclass that tells its exceptions apart: redis/circuit.py, s3.py.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import structlog

from observing import metrics
from storage.errors import StorageUnavailableError

log = structlog.get_logger()

FAILURES_TO_OPEN = 5
"""Consecutive failures that open the circuit."""
FORGET_SECONDS = 5.0
"""The count of failures restarts when the last failure is older than this. It must be longer than a
call that fails."""
OPEN_SECONDS = 1.0
"""How long an open circuit refuses every call. After that, one call probes the server."""


class Circuit(ABC):
    """Counts failures and translates exceptions. An open circuit refuses calls unsent.

    With `probe`, which returns whether the server answers within a few seconds, a call that fails
    counts only if the probe fails too, and no call is sent by an open circuit until the probe
    succeeds: for calls that take long to fail, or can fail alone.
    """

    def __init__(
        self,
        part: str,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        forget_seconds: float = FORGET_SECONDS,
        open_seconds: float = OPEN_SECONDS,
        probe: Callable[[], bool] | None = None,
    ) -> None:
        self._part = part
        self._failures_to_open = failures_to_open
        self._forget_seconds = forget_seconds
        self._open_seconds = open_seconds
        self._probe = probe
        self._refusals = metrics.CALLS_REFUSED.labels(store=part, why="circuit")
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at = 0.0
        self._open_until = 0.0

    @property
    def open(self) -> bool:
        """Whether calls are refused, except for probes."""
        return self._failures >= self._failures_to_open

    def guard(self) -> Self:
        """Run a call to the server. Raises StorageUnavailableError for any failure of it.

        Raises StorageRefusedError if the server replied and would reply the same again.
        """
        return self

    @abstractmethod
    def _translate(self, error: BaseException) -> tuple[StorageUnavailableError, bool] | None:
        """The error of storage for one of the client, and whether the server has answered.

        None for any other exception, which the caller gets as it is.
        """

    def __enter__(self) -> None:
        if self._failures >= self._failures_to_open and not self._may_probe():
            self._refusals.inc()
            raise StorageUnavailableError(self._part, "circuit open: it did not answer")

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        if error is None:
            self._record_success()
            return
        translated = self._translate(error)
        if translated is None:
            return
        unavailable, answered = translated
        if answered or (self._probe and self._probe()):
            self._record_success()
        else:
            self._record_failure()
        raise unavailable from error

    def _may_probe(self) -> bool:
        """Whether this call may be sent although the circuit is open."""
        with self._lock:
            now = time.monotonic()
            if now < self._open_until:
                return False
            # If this probe never returns, the next one is due `open_seconds` later.
            self._open_until = now + self._open_seconds
        if self._probe is None:
            return True
        answers = self._probe()
        if answers:
            self._record_success()
        else:
            self._record_failure()
        return answers

    def _record_failure(self) -> None:
        with self._lock:
            now, was_open = time.monotonic(), self.open
            if not was_open and now - self._failed_at > self._forget_seconds:
                self._failures = 0
            self._failures += 1
            self._failed_at = now
            opens = self.open and not was_open
            if self.open:
                self._open_until = now + self._open_seconds
        if opens:
            metrics.CIRCUIT_OPENINGS.labels(store=self._part).inc()
            log.warning("store away, left alone", part=self._part)

    def _record_success(self) -> None:
        if not self._failures:
            return
        with self._lock:
            closes, self._failures = self.open, 0
        if closes:
            log.info("store answers again", part=self._part)
