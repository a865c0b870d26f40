"""The stop of a process with open streams: they must end before the server waits for them.

granian stops a worker by SIGTERM. It then waits for every open response, and it tells the
application only afterwards (ASGI's lifespan shutdown). So a stream that ends with the application
would never end.
"""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType


def call_on_stop(callback: Callable[[], None]) -> None:
    """Call `callback` on this loop when the process is asked to stop.

    The loop's own handler of the signal, which is granian's, runs too: a loop learns of signals by
    a file descriptor, and this replaces only the function that Python calls.
    """
    loop = asyncio.get_running_loop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
