"""What several rows of a run stand on, as a full cache: opened once, closed at the end."""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Shared:
    """Opens things once a run. Used as a context manager by whoever makes the run."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._opened: dict[Hashable, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def once(self, key: Hashable, opener: Callable[[], AbstractContextManager[T]]) -> T:
        """What the opener gives, the same for every caller with this key."""
        if key not in self._opened:
            self._opened[key] = self._stack.enter_context(opener())
        opened: T = self._opened[key]
        return opened

    def close(self) -> None:
        """Closes all of it, the last opened first. What is asked for later is opened anew."""
        self._opened.clear()
        self._stack.close()
