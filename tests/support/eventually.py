"""Waits for the work of another process or thread, without a guess of its duration."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

B_SECONDS = 90.0
"""The longest time from a crash until everything is delivered: B of docs/promises.md."""


def eventually(check: Callable[[], T], *, seconds: float = B_SECONDS, every: float = 0.05) -> T:
    """The result of `check` as soon as it is truthy and raises no AssertionError.

    After `seconds` it raises the last AssertionError, or one that shows the last falsy result.
    """
    end = time.monotonic() + seconds
    while True:
        problem: AssertionError
        try:
            result = check()
        except AssertionError as error:
            problem = error
        else:
            if result:
                return result
            problem = AssertionError(f"still {result!r} after {seconds} s")
        if time.monotonic() > end:
            raise problem
        time.sleep(every)
