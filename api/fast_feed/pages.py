"""Finished pages, kept while nothing in them has changed."""

from collections import OrderedDict
from collections.abc import Mapping
from operator import is_
from typing import Any, NamedTuple

from feed.copies import Body, Copies
from feed.pages import Cursor

OVERHEAD_BYTES = 2_000
"""What a kept page needs beside its JSON: objects, headers, the list's entries."""

Key = tuple[int, int, Cursor | None]
"""Viewer, limit, cursor."""

_UNKNOWN = object()
"""In place of a body that was not in the cache: it is equal to nothing that is there later."""


class FinishedPage(NamedTuple):
    """A page as sent, without the headers that differ for each request."""

    json: bytes
    etag: bytes
    headers: list[tuple[bytes, bytes]]
    """Of 200 and 304."""
    body_headers: list[tuple[bytes, bytes]]
    """Of 200 alone."""


class KeptPage:
    """A finished page, and what it was made from."""

    __slots__ = ("_bodies", "_degraded", "_entries", "_ids", "_tick", "page")

    def __init__(
        self,
        page: FinishedPage,
        *,
        entries: Any,
        bodies_by_id: Mapping[int, Body | None],
        tick: int,
        degraded: bool,
    ) -> None:
        """`entries`: the reply of the cache. `bodies_by_id`: also of posts that it does not show.

        `tick`: that of the copies before the bodies were read.
        """
        self.page = page
        self._entries = entries
        self._ids = list(bodies_by_id)
        self._bodies = [body or _UNKNOWN for body in bodies_by_id.values()]
        self._tick = tick
        self._degraded = degraded

    def is_current(self, entries: Any, copies: Copies, *, degraded: bool) -> bool:
        """Whether the same page would be made now: same entries, and the same body objects.

        No body has changed since a tick at which none was dropped.
        """
        if self._entries != entries or self._degraded != degraded:
            return False
        if self._tick == copies.tick:
            return True
        if not all(map(is_, copies.bodies_of(self._ids), self._bodies)):
            return False
        self._tick = copies.tick
        return True


class KeptPages:
    """Pages by viewer, limit and cursor, bounded by bytes; the least recently used go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pages: OrderedDict[Key, KeptPage] = OrderedDict()
        self.bytes = 0

    def get(self, key: Key) -> KeptPage | None:
        """The page, which may be outdated."""
        kept = self._pages.get(key)
        if kept is not None:
            self._pages.move_to_end(key)
        return kept

    def keep(self, key: Key, kept: KeptPage) -> None:
        """Keep the page in place of an older one."""
        self.discard(key)
        size = _size_of(kept)
        if size > self._max_bytes:
            return
        self._pages[key] = kept
        self.bytes += size
        while self.bytes > self._max_bytes:
            self.discard(next(iter(self._pages)))

    def discard(self, key: Key) -> None:
        """Forget the page, if there is one."""
        kept = self._pages.pop(key, None)
        if kept is not None:
            self.bytes -= _size_of(kept)


def _size_of(kept: KeptPage) -> int:
    return len(kept.page.json) + OVERHEAD_BYTES
