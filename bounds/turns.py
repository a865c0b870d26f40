"""A bulkhead: a bound on the callers that work at once, with a short wait and then a refusal."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Turns for `count` callers at a time, shared by the threads of one process.

    A caller waits up to `wait_seconds` for a turn. After a wait in vain comes a busy period of
    `busy_seconds`: at most `busy_line` callers wait meanwhile, the others are refused at once.
    Without it the waiting callers would occupy every thread of the process.
    """

    def __init__(
        self, count: int, *, wait_seconds: float, busy_seconds: float = 0.0, busy_line: int = 0
    ) -> None:
        self._free: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)
        self._wait_seconds = wait_seconds
        self._busy_seconds = busy_seconds
        self._busy_line = busy_line
        self._busy_until = 0.0
        self._waiting: set[object] = set()

    def take(self) -> bool:
        """Whether the caller has a turn now. It must then call `give_back()`."""
        try:
            self._free.get_nowait()
        except queue.Empty:
            return self._wait_for_turn()
        return True

    def take_spare(self, left: int) -> bool:
        """Whether the caller has a turn now, as more than `left` were free. Never waits."""
        if self._free.qsize() <= left:
            return False
        try:
            self._free.get_nowait()
        except queue.Empty:
            return False
        return True

    def give_back(self) -> None:
        """End a turn, so that the next caller can take it."""
        self._free.put(None)

    @contextmanager
    def turn(self, refusal: Callable[[], Exception]) -> Iterator[None]:
        """Hold a turn for the block. Raises what `refusal` returns if there is no turn."""
        if not self.take():
            raise refusal()
        try:
            yield
        finally:
            self.give_back()

    def _wait_for_turn(self) -> bool:
        if time.monotonic() < self._busy_until and len(self._waiting) >= self._busy_line:
            return False
        waiter = object()
        self._waiting.add(waiter)
        try:
            self._free.get(timeout=self._wait_seconds)
        except queue.Empty:
            self._busy_until = time.monotonic() + self._busy_seconds
            return False
        finally:
            self._waiting.discard(waiter)
        return True
