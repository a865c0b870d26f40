"""What a page of a feed is, and which page a window of the timeline proves. Pure."""

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
    """Finished post bodies, newest first, and where the neighbouring pages start."""

    bodies: Sequence[bytes]
    next: Cursor | None
    prev: Cursor | None
    degraded: Sequence[str] = ()
    """Stores that are away: the page is right without them, and slower or not to be had soon."""


class Found(NamedTuple):
    """A page's ids, newest first, what has been read of their bodies, and its neighbours.

    `bodies`: one of each id, b"" of a deleted post, None where it is to be looked up; or none yet.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    next: Cursor | None
    prev: Cursor | None

    @property
    def known(self) -> dict[int, bytes | None]:
        """The bodies that have been read, by id."""
        return dict(zip(self.ids, self.bodies, strict=False))

    def page(self, bodies: Sequence[bytes | None], *, degraded: Sequence[str] = ()) -> FeedPage:
        """The page with these bodies, one of each id, without those of deleted posts."""
        return FeedPage(list(filter(None, bodies)), self.next, self.prev, degraded)


def below(
    ids: Sequence[int],
    next_id: int | None,
    cursor: Cursor | None,
    bodies: Sequence[bytes | None] = (),
) -> Found:
    """The page under a cursor, or the first. `next_id` is None only at the feed's true end.

    What is newer than it starts at its newest, absent on an empty feed's first page.
    """
    newest = ids[0] if ids else cursor.id - 1 if cursor else None
    following = None if next_id is None else Cursor("before", next_id)
    return Found(ids, bodies, following, None if newest is None else Cursor("after", newest))


def above(rising: Sequence[int], after: int, bodies: Sequence[bytes | None] = ()) -> Found:
    """The page just above an id, of ids given oldest first, as `bodies`; both its ends go on."""
    ids = rising[::-1]
    following = Cursor("before", ids[-1] if ids else after + 1)
    return Found(ids, bodies[::-1], following, Cursor("after", ids[0] if ids else after))


def in_window(window: Window, cursor: Cursor | None, limit: int) -> Found | None:
    """The page that the window proves exact, or None: then more has to be read."""
    if not window.ids:
        return None
    if cursor and cursor.direction == "after":
        rising = window_above(window, cursor.id, limit)
        if rising is None:
            return None
        bodies = dict(window.entries)
        return above(rising, cursor.id, [bodies[post_id] for post_id in rising])
    page = window_page(window, limit, cursor.id if cursor else MAX_ID)
    return None if page is None else below(page.ids, page.next_id, cursor, page.bodies)
