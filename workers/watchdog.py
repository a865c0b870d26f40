"""Ends a process that hangs where no time-out reaches, so that it is started again.

A database driver waits for its answer for ever when the network swallows it; RQ's own alarm may
be swallowed by the same wait.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

LOOK_SECONDS = 1.0
HUNG = 70
"""Exit status of a process that ended itself (EX_SOFTWARE)."""


class Watchdog:
    """Ends the process when a step takes longer than `seconds`; between steps it sleeps."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def step(self) -> Iterator[None]:
        """What is done inside must end in time."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            since = self._since
            if since is not None and time.monotonic() - since > self._seconds:
                log.critical("process hangs, ends itself", seconds=self._seconds)
                os._exit(HUNG)
