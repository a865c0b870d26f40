"""What a timeline's list, or a window of it, proves about the feed. Pure: ids in, a page or None.

The first entry of a list is the sentinel -W, at most 0: the list is complete above the id W. W is 0
for a list that reaches the first post, ABOVE_NOTHING for a list under construction. A list whose
sentinel LTRIM removed is complete above its oldest entry + T. Entries can be out of order by up to
T, and an entry can occur twice.
"""

from collections.abc import Mapping, Sequence
from operator import gt
from typing import NamedTuple

from storage.timeline_layout import ABOVE_NOTHING, DISORDER
from storage.windows import EXTRA_ENTRIES, Window


class WindowPage(NamedTuple):
    """A page from a window: ids newest first, each id's body (None: missing), the next cursor.

    Posts that are marked as deleted are left out. `next_id` is None only at the feed's true end.
    """

    ids: Sequence[int]
    bodies: Sequence[bytes | None]
    next_id: int | None


class PageBelow(NamedTuple):
    """A page below a cursor from a whole list: ids newest first, and the next cursor.

    `next_id` is None only at the feed's true end. If `complete` is False the page reaches below the
    watermark, and the other fields mean nothing.
    """

    ids: list[int]
    next_id: int | None
    complete: bool


NOTHING_PROVED = PageBelow([], None, complete=False)


def watermark(entries: Sequence[int]) -> int | None:
    """The id above which the list is complete. None: there is no list, or it is being built."""
    if not entries or entries[0] == -ABOVE_NOTHING:
        return None
    first = entries[0]
    return -first if first <= 0 else first + DISORDER


def window_page(window: Window, limit: int, before: int = ABOVE_NOTHING) -> WindowPage | None:
    """The newest posts below `before`; None if the window does not prove them.

    An entry between the tail and the window is at most T older than any entry in the window. An
    entry between the head and the window is at most T newer. These bounds limit what the window
    can lack.
    """
    return _ordered_page(window, limit, before) or _general_page(window, limit, before)


def _ordered_page(window: Window, limit: int, before: int) -> WindowPage | None:
    """The page of a window in order, with no deleted post and both ends proved; else None.

    Nearly all windows are like this. The result equals that of `_general_page` at a third of the
    cost.
    """
    ids = window.ids
    if before == ABOVE_NOTHING:
        start = 0
    elif before in ids:
        start = ids.index(before) + 1
    else:
        return None
    end = start + limit
    if len(ids) < max(end, limit + EXTRA_ENTRIES) or not all(map(gt, ids, ids[1:])):
        return None
    newest_proved = window.newest or ids[0] >= before + DISORDER
    oldest_proved = ids[end - 1] >= ids[-1] + DISORDER and ids[-1] > 0
    bodies = window.bodies[start:end]
    if not (newest_proved and oldest_proved) or b"" in bodies:
        return None
    return WindowPage(ids[start:end], bodies, ids[end - 1])


def _general_page(window: Window, limit: int, before: int) -> WindowPage | None:
    bodies = {entry: body for entry, body in window.entries if entry > 0}
    sentinels = [entry for entry in window.ids if entry <= 0]
    if not bodies and not sentinels:
        return None
    if not window.newest and max(bodies, default=0) < before + DISORDER:
        return None  # an entry below `before` can lie between the window and the tail
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
        short = len(window.ids) < limit + EXTRA_ENTRIES
        if short or live[limit - 1] < min(bodies) + DISORDER:
            return None  # an entry of this page can lie between the window and the head
    return _page(live[:limit], bodies, next_id=live[limit - 1])


def window_above(window: Window, after: int, limit: int) -> list[int] | None:
    """The oldest ids above `after`, ascending; None if the window does not prove them."""
    ids = {entry for entry in window.ids if entry > 0}
    sentinels = [entry for entry in window.ids if entry <= 0]
    complete_above = -sentinels[0] if sentinels else min(ids, default=ABOVE_NOTHING) + DISORDER
    proved = window.newest and complete_above <= after
    return sorted(i for i in ids if i > after)[:limit] if proved else None


def page_below(entries: Sequence[int], before: int, limit: int) -> PageBelow:
    """The newest ids below `before` from a whole list; incomplete if the graph must answer."""
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
    """The oldest ids above `after` from a whole list, ascending; None if the graph must answer."""
    complete_above = watermark(entries)
    if complete_above is None or complete_above > after:
        return None
    return sorted({i for i in entries if i > after})[:limit]


def _page(ids: list[int], bodies: Mapping[int, bytes | None], *, next_id: int | None) -> WindowPage:
    return WindowPage(ids, [bodies[i] for i in ids], next_id)
