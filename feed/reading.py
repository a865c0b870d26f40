"""One page of a viewer's feed: from the timeline where that is exact, from the graph elsewhere.

The rules are those of docs/decisions/0001: a list is complete above its watermark,
the newest entries answer a first page only where lateness cannot have left a hole, and below the
watermark the same cursor goes on in the graph. So a feed ends only where the posts end.
"""

from collections.abc import Sequence

import structlog

from bounds.turns import Turns
from feed.background import Rebuilder
from feed.bodies import bodies_of
from feed.errors import FeedBusyError
from feed.pages import Cursor, FeedPage, Found, above, below, in_window
from feed.proof import page_above, page_below, watermark
from graph import Graph
from graph.ids import MAX_ID
from observing.metrics import TIMELINE_READS
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.windows import Window

log = structlog.get_logger()

GRAPH_PAGES = 3
"""Pages that one process asks of the graph at once: with all timelines gone, or the graph slow,
most of its eight threads stay for readers whose timelines stand."""
GRAPH_PAGE_SECONDS = 0.5
"""How long a page waits for its turn at the graph: some forty pages where the graph is well, and a
first one where its plans are being made."""
BUSY_SECONDS = 1.0
"""After a page has waited in vain: for so long none waits, or all threads would stand in line."""


turns = Turns(GRAPH_PAGES, wait_seconds=GRAPH_PAGE_SECONDS, busy_seconds=BUSY_SECONDS)
"""Turns at the graph, of the process, as its threads are."""


def page(
    graph: Graph,
    storage: Storage,
    rebuilder: Rebuilder,
    *,
    viewer_id: int,
    cursor: Cursor | None,
    limit: int,
    window: Window | None = None,
) -> FeedPage:
    """The feed's page under (`before`), above (`after`) a cursor, or its first.

    `window`: what this request has read already, of the same cursor and limit.
    Ids strictly fall. A page may hold fewer than `limit` posts, as deleted ones are left out: only
    an absent `next` is the end. Where the graph is needed: raises GraphUnavailableError, and
    FeedBusyError when too many pages wait for it.
    """
    away: set[str] = set()
    found = _from_timeline(storage, viewer_id, cursor, limit, window=window, away=away)
    if found is None:
        found = _from_graph(graph, rebuilder, viewer_id, cursor, limit)
    bodies = bodies_of(graph, storage, found.ids, known=found.known)
    degraded = tuple(sorted(away | ({"graph"} if graph.away else set())))
    return found.page([bodies[post_id] for post_id in found.ids], degraded=degraded)


def page_at_once(
    graph: Graph, window: Window, cursor: Cursor | None, limit: int
) -> FeedPage | None:
    """The same page where the window that has been read says it all; else None."""
    found = in_window(window, cursor, limit)
    if found is None or None in found.bodies:
        return None
    return found.page(found.bodies, degraded=("graph",) if graph.away else ())


def _from_timeline(
    storage: Storage,
    viewer_id: int,
    cursor: Cursor | None,
    limit: int,
    *,
    window: Window | None,
    away: set[str],
) -> Found | None:
    """The page where the timeline proves it exact; None where the graph must answer."""
    try:
        if window is None:
            window = _window(storage, viewer_id, cursor, limit)
        found = in_window(window, cursor, limit)
        if found is not None:
            TIMELINE_READS.labels(source="window").inc()
            return found
        if not window.ids and cursor is None:
            return None  # there is no list
        return _from_whole_list(storage, viewer_id, cursor, limit, window)
    except StorageUnavailableError as error:
        log.warning("feed answered without the cache", error=str(error))
        away.add(error.part)
        return None


def _window(storage: Storage, viewer_id: int, cursor: Cursor | None, limit: int) -> Window:
    """Entries that may prove the page, in one round trip."""
    if cursor and cursor.direction == "before":
        return storage.timelines.window_below(viewer_id, cursor.id, limit)
    return storage.timelines.window(viewer_id, limit)


def _from_whole_list(
    storage: Storage, viewer_id: int, cursor: Cursor | None, limit: int, window: Window
) -> Found | None:
    """A page from all entries; None without a list, or where it goes below the watermark."""
    if (
        cursor
        and cursor.direction == "before"
        and _lies_below(cursor, _head(storage, viewer_id, window))
    ):
        return None  # as most that a window does not show: all entries would say no more
    entries = storage.timelines.whole(viewer_id)
    if cursor and cursor.direction == "after":
        rising = page_above(entries, cursor.id, limit)
        found = None if rising is None else above(rising, cursor.id)
    else:
        page = page_below(entries, cursor.id if cursor else MAX_ID, limit)
        found = below(page.ids, page.next_id, cursor) if page.complete else None
    if found is not None:
        TIMELINE_READS.labels(source="list").inc()
    return found


def _head(storage: Storage, viewer_id: int, window: Window) -> Sequence[int]:
    """The list's first entry alone, from the window where that shows it; nothing of no list."""
    if window.ids and window.ids[-1] <= 0:  # the sentinel, which is the first
        return window.ids[-1:]
    return storage.timelines.head(viewer_id) if window.head is None else window.head


def _lies_below(cursor: Cursor, head: Sequence[int]) -> bool:
    """Whether the page lies below all that the list is complete above, or there is no list."""
    complete_above = watermark(head)
    return complete_above is None or 0 < cursor.id <= complete_above


def _from_graph(
    graph: Graph, rebuilder: Rebuilder, viewer_id: int, cursor: Cursor | None, limit: int
) -> Found:
    """A page from the graph, which is always right; at the top it also has the timeline built.

    No two requests share a reading: one begun after a write of somebody's must show it.
    """
    if cursor and cursor.direction == "after":
        with turns.one(FeedBusyError):
            rising = graph.posts.feed_page_up(viewer_id, after=cursor.id, limit=limit)
        TIMELINE_READS.labels(source="graph").inc()
        return above(rising, cursor.id)
    with turns.one(FeedBusyError):
        pull = graph.posts.feed_page(
            viewer_id, before=cursor.id if cursor else MAX_ID, limit=limit + 1
        )
    TIMELINE_READS.labels(source="graph").inc()
    if cursor is None and not pull.held:
        rebuilder.ask(viewer_id)
    ids = pull.post_ids[:limit]
    return below(ids, ids[-1] if len(pull.post_ids) > limit else None, cursor)
