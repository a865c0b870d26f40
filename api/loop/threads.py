"""Threads of an event loop for work that blocks: few at a time, a short wait, then a refusal."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bounds.loop_turns import LoopTurns

R = TypeVar("R")


class OverloadedError(Exception):
    """Every thread is busy, and the wait for one was in vain."""


class BoundedThreads:
    """A number of threads. The waits are those of LoopTurns. For the loop's thread."""

    def __init__(
        self,
        threads: int,
        *,
        name: str,
        wait_seconds: float,
        busy_seconds: float = 0.0,
        busy_line: int = 0,
    ) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._turns = LoopTurns(
            threads, wait_seconds=wait_seconds, busy_seconds=busy_seconds, busy_line=busy_line
        )

    async def run(self, work: Callable[[], R]) -> R:
        """The result of a function that blocks, run in a thread. Raises OverloadedError.

        The turn ends with the function, also if nobody waits for it any more.
        """
        if not await self._turns.take():
            raise OverloadedError
        result = asyncio.get_running_loop().run_in_executor(self._executor, work)
        result.add_done_callback(lambda _: self._turns.give_back())
        return await asyncio.shield(result)  # a caller that is cancelled leaves the thread busy

    def close(self) -> None:
        """Wait for the threads."""
        self._executor.shutdown()
