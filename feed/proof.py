"""What a list, or its newest entries, prove about a feed. Pure: ids in, a page or None out.

A list's first entry is a sentinel -W, never above 0: the list is complete above the id W (0: to the
beginning; ABOVE_NOTHING: it is being built). Where LTRIM cut the sentinel off, it is complete above
its oldest entry + T. Entries may be out of order by up to T, and may come twice.
"""

from collections.abc import Mapping, Sequence
from operator import gt
from typing import NamedTuple

from storage.timeline_layout import ABOVE_NOTHING, DISORDER
from storage.windows import EXTRA, Window


class WindowPage(NamedTuple):
    """A page out of a window: ids newest first, the body of each (None: missing), the next cursor.

    Posts known as deleted are left out. `next_id` is None only at the true end.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    next_id: int | None


class PageBelow(NamedTuple):
    """A page under a cursor: ids newest first, where the next starts: None only at the true end.

    Not complete: the page goes below what the list is complete above, and nothing else is said.
    """

    ids: list[int]
    next_id: int | None
    complete: bool


NOTHING_PROVED = PageBelow([], None, complete=False)


def watermark(entries: Sequence[int]) -> int | None:
    """The id above which this whole list is complete, or None where it is above nothing."""
    if not entries or entries[0] == -ABOVE_NOTHING:
        return None
    first = entries[0]
    return -first if first <= 0 else first + DISORDER


def window_page(window: Window, limit: int, before: int = ABOVE_NOTHING) -> WindowPage | None:
    """The newest posts below `before`, or None where the window does not prove them.

    Nearer to the tail than the window no post is more than T older than any in it, and further from
    it none is more than T newer: that bounds what stands outside.
    """
    return _plain_page(window, limit, before) or _any_page(window, limit, before)


def _plain_page(window: Window, limit: int, before: int) -> WindowPage | None:
    """The page as nearly all are: in order, nothing deleted, both ends proved; or None.

    It says what _any_page says, at a third of the price.
    """
    ids = window.ids
    if before == ABOVE_NOTHING:
        start = 0
    elif before in ids:
        start = ids.index(before) + 1
    else:
        return None
    end = start + limit
    if len(ids) < max(end, limit + EXTRA) or not all(map(gt, ids, ids[1:])):
        return None
    whole_above = window.newest or ids[0] >= before + DISORDER
    whole_below = ids[end - 1] >= ids[-1] + DISORDER and ids[-1] > 0
    bodies = window.bodies[start:end]
    if not (whole_above and whole_below) or b"" in bodies:
        return None
    return WindowPage(ids[start:end], bodies, ids[end - 1])


def _any_page(window: Window, limit: int, before: int) -> WindowPage | None:
    bodies = {entry: body for entry, body in window.entries if entry > 0}
    sentinels = [entry for entry in window.ids if entry <= 0]
    if not bodies and not sentinels:
        return None
    if not window.newest and max(bodies, default=0) < before + DISORDER:
        return None  # a newer entry, too far towards the tail, may stand outside the window
    complete_above = -sentinels[0] if sentinels else 0
    live = sorted(
        (i for i, body in bodies.items() if complete_above <= i < before and body != b""),
        reverse=True,
    )
    if sentinels and complete_above == 0 and len(live) <= limit:
        return _page(live, bodies, next_id=None)  # the whole rest of the feed
    if len(live) < limit:
        return None
    if not sentinels:
        short = len(window.ids) < limit + EXTRA
        if short or live[limit - 1] < min(bodies) + DISORDER:
            return None  # an older entry may stand outside the window, too far towards the head
    return _page(live[:limit], bodies, next_id=live[limit - 1])


def window_above(window: Window, after: int, limit: int) -> list[int] | None:
    """The oldest ids above `after`, rising; None where the newest entries do not prove them."""
    ids = {entry for entry in window.ids if entry > 0}
    sentinels = [entry for entry in window.ids if entry <= 0]
    complete_above = -sentinels[0] if sentinels else min(ids, default=ABOVE_NOTHING) + DISORDER
    proved = window.newest and complete_above <= after
    return sorted(i for i in ids if i > after)[:limit] if proved else None


def page_below(entries: Sequence[int], before: int, limit: int) -> PageBelow:
    """From a whole list, the newest ids below `before`; incomplete where the graph must answer."""
    complete_above = watermark(entries)
    if complete_above is None:
        return NOTHING_PROVED
    ids = sorted({i for i in entries if i >= complete_above and 0 < i < before}, reverse=True)
    if complete_above == 0 and len(ids) <= limit:
        return PageBelow(ids, None, complete=True)
    if len(ids) < limit:
        return NOTHING_PROVED
    return PageBelow(ids[:limit], ids[limit - 1], complete=True)


def page_above(entries: Sequence[int], after: int, limit: int) -> list[int] | None:
    """From a whole list, the oldest ids above `after`, ascending; None: the graph answers it."""
    complete_above = watermark(entries)
    if complete_above is None or complete_above > after:
        return None
    return sorted({i for i in entries if i > after})[:limit]


def _page(ids: list[int], bodies: Mapping[int, bytes | None], *, next_id: int | None) -> WindowPage:
    return WindowPage(ids, [bodies[i] for i in ids], next_id)
