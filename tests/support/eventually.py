"""Waiting for what another process or thread will do, without guessing how long it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], *, seconds: float = 10.0, every: float = 0.05) -> T:
    """What `check` returns once it is truthy and raises no AssertionError.

    After `seconds` the last AssertionError is raised, or one that shows the last falsy answer.
    """
    end = time.monotonic() + seconds
    while True:
        problem: AssertionError
        try:
            answer = check()
        except AssertionError as error:
            problem = error
        else:
            if answer:
                return answer
            problem = AssertionError(f"still {answer!r} after {seconds} s")
        if time.monotonic() > end:
            raise problem
        time.sleep(every)
