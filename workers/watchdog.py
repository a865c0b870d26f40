"""Ends a process that hangs, so that its supervisor restarts it.

A database driver waits for ever if the network loses the answer, and the same wait can block RQ's
own alarm.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()

CHECK_SECONDS = 1.0
EXIT_HUNG = 70
"""Exit status of a process that the watchdog ended (EX_SOFTWARE)."""


class Watchdog:
    """Ends the process if a step takes longer than `seconds`. There is no limit between steps.

    Several threads can each be in a step.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began_at: dict[int, float] = {}
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Limit the time of the block."""
        thread = threading.get_ident()
        self._began_at[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began_at[thread]

    def _watch(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            earliest = time.monotonic() - self._seconds
            if any(began_at < earliest for began_at in list(self._began_at.values())):
                log.critical("process hangs, ends itself", seconds=self._seconds)
                os._exit(EXIT_HUNG)
