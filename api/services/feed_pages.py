"""What a page of a feed is, and which page a window of the timeline proves. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.cursors import Cursor
from storage.windows import Window, window_above, window_page

TOP = 1 << 53
"""Above every id: where a feed read from its top begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Finished post bodies, newest first, and where the neighbouring pages start."""

    bodies: list[bytes]
    next: Cursor | None
    prev: Cursor | None
    degraded: tuple[str, ...] = ()
    """Stores that are away: the page is right without them, and slower or not to be had soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page before its bodies: ids newest first, what is known of them, and its neighbours.

    `known`: a body, b"" of a deleted post, None or no entry of one that is to be looked up.
    """

    ids: Sequence[int]
    known: Mapping[int, bytes | None]
    next: Cursor | None
    prev: Cursor | None

    def page(
        self, bodies: Mapping[int, bytes | None], *, degraded: tuple[str, ...] = ()
    ) -> FeedPage:
        """The page with these bodies, without those of deleted posts."""
        shown = [body for post_id in self.ids if (body := bodies.get(post_id))]
        return FeedPage(bodies=shown, next=self.next, prev=self.prev, degraded=degraded)


def below(
    ids: Sequence[int],
    next_id: int | None,
    cursor: Cursor | None,
    known: Mapping[int, bytes | None],
) -> Found:
    """The page under a cursor, or the first. `next_id` is None only at the feed's true end.

    What is newer than it starts at its newest, absent on an empty feed's first page.
    """
    newest = ids[0] if ids else cursor.id - 1 if cursor else None
    return Found(
        ids=ids,
        known=known,
        next=None if next_id is None else Cursor("before", next_id),
        prev=None if newest is None else Cursor("after", newest),
    )


def above(rising: Sequence[int], after: int, known: Mapping[int, bytes | None]) -> Found:
    """The page just above an id, of ids given oldest first; both its ends go on."""
    ids = rising[::-1]
    return Found(
        ids=ids,
        known=known,
        next=Cursor("before", ids[-1] if ids else after + 1),
        prev=Cursor("after", ids[0] if ids else after),
    )


def in_window(window: Window, cursor: Cursor | None, limit: int) -> Found | None:
    """The page that the window proves exact, or None: then more has to be read."""
    if not window.entries:
        return None
    if cursor and cursor.direction == "after":
        rising = window_above(window, cursor.id, limit)
        if rising is None:
            return None
        bodies = dict(window.entries)
        return above(rising, cursor.id, {post_id: bodies[post_id] for post_id in rising})
    page = window_page(window, limit, cursor.id if cursor else TOP)
    if page is None:
        return None
    return below(page.ids, page.next_id, cursor, dict(zip(page.ids, page.bodies, strict=True)))
