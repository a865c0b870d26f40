"""A bulkhead a key: one caller at a time works for each key, and one more waits."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager


class _Line:
    """The callers of one key."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.callers = 0


class OneEach:
    """Turns for one caller a key at a time, shared by the threads of one process.

    One more caller of the key waits up to `wait_seconds`; further ones are refused at once, so that
    no key occupies more than two threads.
    """

    def __init__(self, *, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._lines: dict[Hashable, _Line] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, key: Hashable, refusal: Callable[[], Exception]) -> Iterator[None]:
        """Hold the turn of the key for the block. Raises what `refusal` returns without one."""
        line = self._enter(key)
        if line is None:
            raise refusal()
        try:
            if not line.turn.acquire(timeout=self._wait_seconds):
                raise refusal()
            try:
                yield
            finally:
                line.turn.release()
        finally:
            self._leave(key, line)

    def _enter(self, key: Hashable) -> _Line | None:
        with self._lock:
            line = self._lines.setdefault(key, _Line())
            if line.callers > 1:
                return None
            line.callers += 1
            return line

    def _leave(self, key: Hashable, line: _Line) -> None:
        with self._lock:
            line.callers -= 1
            if not line.callers:
                del self._lines[key]
