"""The stop of a process with open streams: they must end before the server waits for them.

granian stops a worker by SIGTERM. It then waits for every open response, and it tells the
application only afterwards (ASGI's lifespan shutdown). So a stream that ends with the application
would never end.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog

log = structlog.get_logger()


class Stopping:
    """What has to end when the process is asked to stop. Belongs to the loop's thread."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call `callback` at each request to stop. It must neither block nor wait."""
        self._callbacks.append(callback)

    def watch(self) -> None:
        """From now on, signals that stop the process are requests to stop.

        Only the main thread can have handlers of signals: elsewhere this does nothing.
        """
        if threading.current_thread() is threading.main_thread():
            call_on_stop(self.stop)

    def stop(self) -> None:
        """Run the callbacks. One that fails does not keep the others from running."""
        for callback in self._callbacks:
            try:
                callback()
            except Exception:  # a bug there must not keep other streams open
                log.exception("stop failed")


def call_on_stop(callback: Callable[[], None]) -> None:
    """Call `callback` on this loop when the process is asked to stop.

    The loop's own handler of the signal, which is granian's, runs too: a loop learns of signals by
    a file descriptor and by the function that Python calls, and this calls that function as well.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        _call_before(number, lambda: loop.call_soon_threadsafe(callback))


def _call_before(number: signal.Signals, callback: Callable[[], Any]) -> None:
    """Call `callback` at the signal, then the handler that the signal has now."""
    previous = signal.getsignal(number)

    def handle(received: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop is closed already
            callback()
        if callable(previous):
            previous(received, frame)

    signal.signal(number, handle)
