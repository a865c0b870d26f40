"""Calls that run at the same moment, and their outcomes."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_together(*calls: Callable[[], T]) -> list[T | Exception]:
    """The result or the exception of each call; all calls start at the same moment."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        barrier.wait(30)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - an outcome that the test checks
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def errors(outcomes: Iterable[object]) -> list[Exception]:
    """The exceptions among the outcomes."""
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]
