"""A bulkhead: so many callers work at once, some wait briefly for a turn, the rest are refused."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Turns for `count` callers at a time, shared by the threads of one process.

    A caller waits at most `wait_seconds`. When one has waited in vain, the next `busy_seconds` only
    `busy_line` callers may wait; all others are refused at once. Without this the line would hold
    every thread of the process.
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
        """Whether the caller has a turn now; it must then call `give_back()`."""
        try:
            self._free.get_nowait()
        except queue.Empty:
            return self._take_after_waiting()
        return True

    def give_back(self) -> None:
        """End a turn: the next caller may have it."""
        self._free.put(None)

    @contextmanager
    def one(self, refusal: Callable[[], Exception]) -> Iterator[None]:
        """A turn for what is done inside. Raises what `refusal` makes if there is none."""
        if not self.take():
            raise refusal()
        try:
            yield
        finally:
            self.give_back()

    def _take_after_waiting(self) -> bool:
        if time.monotonic() < self._busy_until and len(self._waiting) >= self._busy_line:
            return False
        me = object()
        self._waiting.add(me)
        try:
            self._free.get(timeout=self._wait_seconds)
        except queue.Empty:
            self._busy_until = time.monotonic() + self._busy_seconds
            return False
        finally:
            self._waiting.discard(me)
        return True
