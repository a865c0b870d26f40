"""Pages of a feed, and the page that a window of the timeline proves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from feed.proof import window_above, window_page
from graph.ids import MAX_ID
from storage.windows import Window

Direction = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts: before or after this id, exclusive."""

    direction: Direction
    id: int


class FeedPage(NamedTuple):
    """Finished post bodies, newest first, and the cursors of the neighbouring pages."""

    bodies: Sequence[bytes]
    next: Cursor | None
    prev: Cursor | None
    degraded: Sequence[str] = ()
    """Stores that are unavailable. The page is exact; later pages may be slow or unavailable."""


class PageDraft(NamedTuple):
    """A page's ids, newest first, and its cursors; the bodies may still be missing.

    `bodies` is empty, or has an entry for each id: b"" for a deleted post, None for a body that
    was not in the cache.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    next: Cursor | None
    prev: Cursor | None

    @property
    def bodies_by_id(self) -> dict[int, bytes | None]:
        """The entries of `bodies` by post id."""
        return dict(zip(self.ids, self.bodies, strict=False))

    def finish(self, bodies: Sequence[bytes | None], *, degraded: Sequence[str] = ()) -> FeedPage:
        """The page with these bodies, one for each id; deleted posts are left out."""
        return FeedPage(list(filter(None, bodies)), self.next, self.prev, degraded)


def draft_below(
    ids: Sequence[int],
    next_id: int | None,
    cursor: Cursor | None,
    bodies: Sequence[bytes | None] = (),
) -> PageDraft:
    """The page below a cursor, or the first page. `next_id` is None only at the feed's true end.

    `prev` starts at the page's newest id. The first page of an empty feed has no `prev`.
    """
    newest = ids[0] if ids else cursor.id - 1 if cursor else None
    next_cursor = None if next_id is None else Cursor("before", next_id)
    prev_cursor = None if newest is None else Cursor("after", newest)
    return PageDraft(ids, bodies, next_cursor, prev_cursor)


def draft_above(
    rising_ids: Sequence[int], after: int, bodies: Sequence[bytes | None] = ()
) -> PageDraft:
    """The page above the id `after`. Takes ids and bodies oldest first; has both cursors."""
    ids = rising_ids[::-1]
    next_cursor = Cursor("before", ids[-1] if ids else after + 1)
    prev_cursor = Cursor("after", ids[0] if ids else after)
    return PageDraft(ids, bodies[::-1], next_cursor, prev_cursor)


def draft_from_window(window: Window, cursor: Cursor | None, limit: int) -> PageDraft | None:
    """The page if the window proves it exact; None if more entries have to be read."""
    if not window.ids:
        return None
    if cursor and cursor.direction == "after":
        rising_ids = window_above(window, cursor.id, limit)
        if rising_ids is None:
            return None
        bodies = dict(window.entries)
        return draft_above(rising_ids, cursor.id, [bodies[post_id] for post_id in rising_ids])
    page = window_page(window, limit, cursor.id if cursor else MAX_ID)
    return None if page is None else draft_below(page.ids, page.next_id, cursor, page.bodies)
