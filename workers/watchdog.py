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
    """Ends the process when a step takes longer than `seconds`; between steps it sleeps.

    Each thread may be in a step of its own.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[int, float] = {}
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def step(self) -> Iterator[None]:
        """What is done inside must end in time."""
        thread = threading.get_ident()
        self._began[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            latest = time.monotonic() - self._seconds
            if any(began < latest for began in list(self._began.values())):
                log.critical("process hangs, ends itself", seconds=self._seconds)
                os._exit(HUNG)
