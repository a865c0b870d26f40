"""Finished pages, kept while nothing in them has changed."""

from collections import OrderedDict
from collections.abc import Mapping
from operator import is_
from typing import Any

from feed.copies import Body, Copies
from feed.pages import Cursor

OVERHEAD_BYTES = 2_000
"""What a kept page needs beside its JSON: objects, headers, the list's entries."""

Key = tuple[int, int, Cursor | None]
"""Viewer, limit, cursor."""


class KeptPage:
    """A page as sent, and what it was made from."""

    __slots__ = ("bodies", "degraded", "entries", "etag", "headers", "ids", "json", "tick")

    def __init__(
        self,
        *,
        entries: Any,
        bodies_by_id: Mapping[int, Body | None],
        tick: int,
        degraded: bool,
    ) -> None:
        self.entries = entries
        """The reply of the cache that the page was made from."""
        self.ids = list(bodies_by_id)
        self.bodies = list(bodies_by_id.values())
        """The bodies of `ids`, also of those that the page does not show."""
        self.tick = tick
        """The tick of the copies at which the bodies were last known to be current."""
        self.degraded = degraded
        self.json = b""
        self.etag = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def is_current(self, entries: Any, copies: Copies, *, degraded: bool) -> bool:
        """Whether the same page would be made now: same entries, and the same body objects.

        No body has changed since a tick at which none was dropped.
        """
        if self.entries != entries or self.degraded != degraded:
            return False
        if self.tick == copies.tick:
            return True
        if not all(map(is_, copies.bodies_of(self.ids), self.bodies)):
            return False
        self.tick = copies.tick
        return True


class KeptPages:
    """Pages by viewer, limit and cursor, bounded by bytes; the least recently used go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pages: OrderedDict[Key, KeptPage] = OrderedDict()
        self.bytes = 0

    def get(self, key: Key) -> KeptPage | None:
        """The page, which may be outdated."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def keep(self, key: Key, page: KeptPage) -> None:
        """Keep the page in place of an older one."""
        self.discard(key)
        size = len(page.json) + OVERHEAD_BYTES
        if size > self._max_bytes:
            return
        self._pages[key] = page
        self.bytes += size
        while self.bytes > self._max_bytes:
            self.discard(next(iter(self._pages)))

    def discard(self, key: Key) -> None:
        """Forget the page, if there is one."""
        page = self._pages.pop(key, None)
        if page is not None:
            self.bytes -= len(page.json) + OVERHEAD_BYTES
