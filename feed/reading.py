"""One page of a viewer's feed: from the timeline if it proves the page, else from the graph.

docs/decisions/0001 has the rules. A list is complete above its watermark. Its newest entries prove
a page only if no late entry can be missing. Below the watermark the same cursor continues in the
graph, so a feed ends only where its posts end.
"""

from collections.abc import Sequence

import structlog

from feed.background import Rebuilder
from feed.bodies import bodies_of
from feed.graph_pages import GraphPages
from feed.pages import Cursor, FeedPage, PageDraft, draft_above, draft_below, draft_from_window
from feed.proof import page_above, page_below, watermark
from graph import Graph
from graph.ids import MAX_ID
from observing.metrics import TIMELINE_READS
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.windows import Entries, Window

log = structlog.get_logger()


def read_page(
    graph: Graph,
    storage: Storage,
    rebuilder: Rebuilder,
    graph_pages: GraphPages,
    *,
    viewer_id: int,
    cursor: Cursor | None,
    limit: int,
    window: Window | None = None,
) -> FeedPage:
    """The feed's page below (`before`) or above (`after`) the cursor, or its first page.

    `window`: what this request has already read for the same cursor and limit. Ids strictly fall.
    Deleted posts are left out, so a page can have fewer than `limit` posts: only an absent `next`
    is the end. Where the graph is needed, raises GraphUnavailableError, FeedBusyError if too many
    pages wait for it, GraphShareUsedError if the viewer's have cost it too much.
    """
    draft, unavailable = _draft_from_cache(storage, viewer_id, cursor, limit, window)
    if draft is None:
        with graph_pages.page(viewer_id, "feed"):
            draft = _draft_from_graph(graph, rebuilder, viewer_id, cursor, limit)
    bodies = bodies_of(graph, storage, draft.ids, cached=draft.bodies_by_id)
    degraded = (*unavailable, *_unavailable_graph(graph))
    return draft.finish([bodies[post_id] for post_id in draft.ids], degraded=degraded)


def _unavailable_graph(graph: Graph) -> tuple[str, ...]:
    return ("graph",) if graph.circuit_open else ()


def _draft_from_cache(
    storage: Storage,
    viewer_id: int,
    cursor: Cursor | None,
    limit: int,
    window: Window | None,
) -> tuple[PageDraft | None, tuple[str, ...]]:
    """The page if the timeline proves it, else None; and the stores that are unavailable."""
    try:
        if window is None:
            window = _read_window(storage, viewer_id, cursor, limit)
        return _draft_from_timeline(storage, viewer_id, cursor, limit, window), ()
    except StorageUnavailableError as error:
        log.warning("feed answered without the cache", error=str(error))
        return None, (error.part,)


def _draft_from_timeline(
    storage: Storage, viewer_id: int, cursor: Cursor | None, limit: int, window: Window
) -> PageDraft | None:
    draft = draft_from_window(window, cursor, limit)
    if draft is not None:
        TIMELINE_READS.labels(source="window").inc()
        return draft
    if not window.ids and cursor is None:
        return None  # there is no list
    return _draft_from_whole_list(storage, viewer_id, cursor, limit, window)


def _read_window(storage: Storage, viewer_id: int, cursor: Cursor | None, limit: int) -> Window:
    """Entries that can prove the page, and then their bodies: two round trips."""
    entries = _read_entries(storage, viewer_id, cursor, limit)
    return Window.of_entries(entries, storage.bodies.read_many(entries.post_ids))


def _read_entries(storage: Storage, viewer_id: int, cursor: Cursor | None, limit: int) -> Entries:
    if cursor and cursor.direction == "before":
        return storage.timelines.window_below(viewer_id, cursor.id, limit)
    return storage.timelines.window(viewer_id, limit)


def _draft_from_whole_list(
    storage: Storage, viewer_id: int, cursor: Cursor | None, limit: int, window: Window
) -> PageDraft | None:
    """The page from all entries; None without a list or if it reaches below the watermark."""
    if (
        cursor
        and cursor.direction == "before"
        and _is_below_watermark(cursor, _first_entry(storage, viewer_id, window))
    ):
        return None  # the usual case without a window: saves the read of all entries
    entries = storage.timelines.entries(viewer_id)
    if cursor and cursor.direction == "after":
        rising_ids = page_above(entries, cursor.id, limit)
        draft = None if rising_ids is None else draft_above(rising_ids, cursor.id)
    else:
        page = page_below(entries, cursor.id if cursor else MAX_ID, limit)
        draft = draft_below(page.ids, page.next_id, cursor) if page.complete else None
    if draft is not None:
        TIMELINE_READS.labels(source="list").inc()
    return draft


def _first_entry(storage: Storage, viewer_id: int, window: Window) -> Sequence[int]:
    """The list's first entry alone, from the window if it is there; empty if there is no list."""
    if window.ids and window.ids[-1] <= 0:  # the sentinel is the first entry
        return window.ids[-1:]
    return storage.timelines.head(viewer_id) if window.head is None else window.head


def _is_below_watermark(cursor: Cursor, first_entry: Sequence[int]) -> bool:
    """Whether the whole page lies below the watermark, or there is no list."""
    complete_above = watermark(first_entry)
    return complete_above is None or 0 < cursor.id <= complete_above


def _draft_from_graph(
    graph: Graph, rebuilder: Rebuilder, viewer_id: int, cursor: Cursor | None, limit: int
) -> PageDraft:
    """The page from the graph, always exact. A first page also schedules the timeline's rebuild.

    Requests share no read of the graph: a read that begins after a write must show that write.
    """
    if cursor and cursor.direction == "after":
        rising_ids = graph.posts.feed_page_up(viewer_id, after=cursor.id, limit=limit)
        TIMELINE_READS.labels(source="graph").inc()
        return draft_above(rising_ids, cursor.id)
    before = cursor.id if cursor else MAX_ID
    pull = graph.posts.feed_page(viewer_id, before=before, limit=limit + 1)
    TIMELINE_READS.labels(source="graph").inc()
    if cursor is None and not pull.unfollow_pending:
        rebuilder.schedule(viewer_id)
    ids = pull.post_ids[:limit]
    return draft_below(ids, ids[-1] if len(pull.post_ids) > limit else None, cursor)
