"""Tests that run on an event loop, by default on the one of production."""

import asyncio
import functools
import gc
import inspect
import re
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

import uvloop

P = ParamSpec("P")

LONGEST_SECONDS = 60.0
"""A scenario fails after this time. The time-out of pytest does not interrupt uvloop."""

LEAK = re.compile(
    r"unclosed (Connection|resource|transport|<StreamWriter|.*Transport)|loop is closed"
)
"""Warnings about connections of an event loop that nobody has closed."""


def on_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """The test as a function that runs it on uvloop; see `run_on`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_on(uvloop.new_event_loop, test(*args, **kwargs))

    return run


def run_on(
    new_loop: Callable[[], asyncio.AbstractEventLoop], scenario: Coroutine[Any, Any, None]
) -> None:
    """Run to the end. Errors that only the loop sees, and unclosed connections, fail the test."""
    problems: list[Any] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: problems.append(context))
            runner.run(asyncio.wait_for(scenario, LONGEST_SECONDS))
            gc.collect()
        gc.collect()
    problems += [text for w in caught if LEAK.search(text := str(w.message))]
    assert not problems


async def eventually_on_loop(
    check: Callable[[], object | Awaitable[object]], *, seconds: float = 10.0
) -> None:
    """Return as soon as `check` is truthy; the loop runs meanwhile."""
    async with asyncio.timeout(seconds):
        while not await _result(check()):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)


async def _result(value: object) -> object:
    return await value if inspect.isawaitable(value) else value
