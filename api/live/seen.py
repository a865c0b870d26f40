"""Which posts a stream has seen: an id not seen before, among the newest entries, is news. Pure.

A late post stands below the tail, so the newest id alone is not enough. When entries leave a list
(the reader has left somebody), older ones move into the window: these are no news.
"""

from collections.abc import Sequence

ENTRIES = 24
"""The newest entries of a timeline that a look reads."""

MOST_IDS = 256
"""Ids that are remembered. Entries can be out of order by up to T, so it is more than a window."""


class Seen:
    """The ids that a stream has seen, down to the lowest one that could still be news."""

    def __init__(self, after: int, *, newest: int = 0) -> None:
        """At the first look, ids above `after` are news. `newest`: what the client knows."""
        self._ids: set[int] = set()
        self._lowest = after
        self.has_looked = False
        self.newest = newest
        """The highest id that was seen, 0 for none."""

    def look(self, entries: Sequence[int]) -> bool:
        """Whether one of the newest entries of a list is news. All of them count as seen.

        The entries may contain the list's sentinel, which is never above 0.
        """
        post_ids = {entry for entry in entries if entry > 0}
        fresh = {post_id for post_id in post_ids if post_id > self._lowest} - self._ids
        if not self.has_looked:
            self.has_looked = True
            self._lowest = 0
        self.newest = max(self.newest, *post_ids) if post_ids else self.newest
        self._remember(post_ids)
        if len(post_ids) == len(entries):  # without the sentinel: there are older entries
            self._raise_lowest(min(post_ids, default=0))
        return bool(fresh)

    def _remember(self, post_ids: set[int]) -> None:
        self._ids |= {post_id for post_id in post_ids if post_id >= self._lowest}
        if len(self._ids) > MOST_IDS:
            self._raise_lowest(sorted(self._ids)[-MOST_IDS])

    def _raise_lowest(self, lowest: int) -> None:
        if lowest > self._lowest:
            self._lowest = lowest
            self._ids = {post_id for post_id in self._ids if post_id >= lowest}
