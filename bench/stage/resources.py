"""Resources that several rows of a run use, such as a full cache: opened once a run."""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Resources:
    """Opens each resource once a run. A context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._by_key: dict[Hashable, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_once(self, key: Hashable, opener: Callable[[], AbstractContextManager[T]]) -> T:
        """The resource of this key; the first call opens it."""
        if key not in self._by_key:
            self._by_key[key] = self._stack.enter_context(opener())
        resource: T = self._by_key[key]
        return resource

    def close(self) -> None:
        """Close all resources, the last opened first. A later call opens them again."""
        self._by_key.clear()
        self._stack.close()
