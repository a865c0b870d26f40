"""Repeats a call that fails for a while, within a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

Errors = type[Exception] | tuple[type[Exception], ...]


def retry(call: Callable[[], T], *, on: Errors, seconds: float, every: float) -> T:
    """Return what `call` returns, once it raises none of the errors `on`.

    It is called again `every` so many seconds. After `seconds` its last error is raised.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except on:
            if time.monotonic() > end:
                raise
        time.sleep(every)
