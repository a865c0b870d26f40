"""The bulkhead of turns.py for callers on an event loop: they wait without a thread."""

import asyncio
from collections import deque


class LoopTurns:
    """Turns for `count` callers at a time. All methods belong to the loop's thread.

    A caller waits up to `wait_seconds` for a turn. After a wait in vain comes a busy period of
    `busy_seconds`: at most `busy_line` callers wait meanwhile, the others are refused at once.
    """

    def __init__(
        self, count: int, *, wait_seconds: float, busy_seconds: float = 0.0, busy_line: int = 0
    ) -> None:
        self._free = count
        self._wait_seconds = wait_seconds
        self._busy_seconds = busy_seconds
        self._busy_line = busy_line
        self._busy_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> bool:
        """Whether the caller has a turn now. It must then call `give_back()`."""
        if self._free:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        if loop.time() < self._busy_until and len(self._waiting) >= self._busy_line:
            return False
        return await self._wait(loop)

    def give_back(self) -> None:
        """End a turn: the caller that has waited longest takes it."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> bool:
        waiter = loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await waiter
        except TimeoutError:
            if waiter.done() and not waiter.cancelled():  # the turn came with the time-out
                return True
            self._discard(waiter)
            self._busy_until = loop.time() + self._busy_seconds
            return False
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give_back()
            self._discard(waiter)
            raise
        return True

    def _discard(self, waiter: "asyncio.Future[None]") -> None:
        waiter.cancel()
        if waiter in self._waiting:
            self._waiting.remove(waiter)
