"""Requests with one Idempotency-Key: one has a thread, the others wait on the loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.http.idempotency import WAIT_SECONDS, Line
from bounds.loop_turns import LoopTurns

R = TypeVar("R")

MOST_CALLERS = 64
"""Requests of one line. A further one is refused at once."""


class KeyInFlightError(Exception):
    """Another request of the line is in progress, and the wait for it was in vain."""


class _Line:
    """The requests with one token and one key."""

    def __init__(self) -> None:
        self.turns = LoopTurns(1, wait_seconds=WAIT_SECONDS)
        self.callers = 0


class KeyLines:
    """One request of each line at a time. For the loop's thread."""

    def __init__(self) -> None:
        self._lines: dict[Line, _Line] = {}

    async def run(self, key: Line, work: Callable[[], Awaitable[R]]) -> R:
        """The result of the work. Raises KeyInFlightError.

        The turn ends with the work, also if nobody waits for it any more: the thread is busy.
        """
        line = self._enter(key)
        if not await self._take(key, line):
            raise KeyInFlightError
        task = asyncio.ensure_future(work())
        task.add_done_callback(lambda done: self._end(key, line, done))
        return await asyncio.shield(task)

    def _enter(self, key: Line) -> _Line:
        line = self._lines.setdefault(key, _Line())
        if line.callers >= MOST_CALLERS:
            raise KeyInFlightError
        line.callers += 1
        return line

    async def _take(self, key: Line, line: _Line) -> bool:
        """Whether the caller has the turn. Without it, the caller has left the line."""
        taken = False
        try:
            taken = await line.turns.take()
        finally:
            if not taken:
                self._leave(key, line)
        return taken

    def _end(self, key: Line, line: _Line, done: "asyncio.Future[R]") -> None:
        if not done.cancelled():
            done.exception()  # the caller may be gone: asyncio would log it
        line.turns.give_back()
        self._leave(key, line)

    def _leave(self, key: Line, line: _Line) -> None:
        line.callers -= 1
        if not line.callers:
            del self._lines[key]
