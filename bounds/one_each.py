"""A bulkhead a key: one caller at a time works for each key, and few more wait."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager


class _Line:
    """The callers of one key."""

    def __init__(self) -> None:
        self.turns: dict[Hashable, threading.Lock] = {}
        """By kind of work."""
        self.callers = 0


class OneEach:
    """Turns for one caller a key and kind at a time, shared by the threads of one process.

    Others wait up to `wait_seconds`. Of a key, whatever the kinds, `callers` at most work or wait;
    further ones are refused at once, so that no key occupies more threads.
    """

    def __init__(self, *, wait_seconds: float, callers: int = 2) -> None:
        self._callers = callers
        self._wait_seconds = wait_seconds
        self._lines: dict[Hashable, _Line] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(
        self, key: Hashable, refusal: Callable[[], Exception], *, kind: Hashable = None
    ) -> Iterator[None]:
        """Hold the turn of the key and kind for the block.

        Raises what `refusal` returns without one.
        """
        line = self._enter(key, kind)
        if line is None:
            raise refusal()
        try:
            turn = line.turns[kind]
            if not turn.acquire(timeout=self._wait_seconds):
                raise refusal()
            try:
                yield
            finally:
                turn.release()
        finally:
            self._leave(key, line)

    def _enter(self, key: Hashable, kind: Hashable) -> _Line | None:
        with self._lock:
            line = self._lines.setdefault(key, _Line())
            line.turns.setdefault(kind, threading.Lock())
            if line.callers >= self._callers:
                return None
            line.callers += 1
            return line

    def _leave(self, key: Hashable, line: _Line) -> None:
        with self._lock:
            line.callers -= 1
            if not line.callers:
                del self._lines[key]
