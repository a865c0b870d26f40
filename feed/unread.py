"""How many posts a viewer has not read: counted in the timeline, else in the graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from feed.background import Rebuilder
from feed.errors import FeedBusyError
from feed.reading import graph_turns
from graph import Graph
from graph.ids import MAX_ID
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.read_positions import DELETED, NOT_READ, UNKNOWN, Tail
from storage.timeline_layout import DISORDER

log = structlog.get_logger()

COUNT_CAP = 100
"""The largest count that is returned. Larger counts cost more and have no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadCount:
    """How many posts of others are above a read position, and the feed's newest post.

    `capped`: there are more than `count`.
    """

    count: int
    capped: bool
    newest_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadReport:
    """The count, and the stores that are unavailable."""

    unread: UnreadCount
    degraded: tuple[str, ...] = ()


def count(graph: Graph, storage: Storage, rebuilder: Rebuilder, *, viewer_id: int) -> UnreadReport:
    """The viewer's unread posts.

    Where the graph is needed, raises GraphUnavailableError, FeedBusyError.
    """
    degraded: set[str] = set()
    position = unread = None
    try:
        tail = storage.read_positions.tail(viewer_id, most=COUNT_CAP)
        if tail.position is None:
            tail = _tail_above_position(graph, storage, viewer_id)
        position = tail.position
        unread = count_in_tail(tail, viewer_id, COUNT_CAP)
    except StorageUnavailableError as error:
        log.warning("unread answered without the cache", error=str(error))
        degraded.add(error.part)
    if unread is None:
        unread = _count_in_graph(graph, rebuilder, viewer_id, position)
    if graph.circuit_open:
        degraded.add("graph")
    return UnreadReport(unread=unread, degraded=tuple(sorted(degraded)))


def _tail_above_position(graph: Graph, storage: Storage, viewer_id: int) -> Tail:
    """The tail above the position in the graph. Copies the position into the cache."""
    token = storage.read_positions.reserve(viewer_id)
    with graph_turns.turn(FeedBusyError):
        position = graph.read_positions.read(viewer_id)
    if token:
        storage.read_positions.fill(viewer_id, token, position)
    return storage.read_positions.tail(viewer_id, most=COUNT_CAP, position=position)


def _count_in_graph(
    graph: Graph, rebuilder: Rebuilder, viewer_id: int, position: int | None
) -> UnreadCount:
    with graph_turns.turn(FeedBusyError):
        if position is None:
            position = graph.read_positions.read(viewer_id)
        counted = graph.read_positions.count_unread(viewer_id, after=position, limit=COUNT_CAP + 1)
        newest = graph.posts.feed_page(viewer_id, before=MAX_ID, limit=1)
    if not newest.unfollow_pending:
        rebuilder.schedule(viewer_id)
    return UnreadCount(
        count=min(counted, COUNT_CAP),
        capped=counted > COUNT_CAP,
        newest_id=next(iter(newest.post_ids), None),
    )


def count_in_tail(tail: Tail, viewer_id: int, cap: int) -> UnreadCount | None:
    """The count if the tail proves it; None if the graph must answer. Pure.

    A post outside the tail is below the tail's oldest entry + T, or at most the sentinel's W.
    """
    if tail.position is None or not tail.authors:
        return None
    complete_above = _complete_above(tail.authors)
    partial = _is_partial(tail.authors)
    authors = {
        entry: author
        for entry, author in tail.authors.items()
        if entry > 0 and (entry >= complete_above or partial)
    }
    live = [i for i, author in authors.items() if author not in {DELETED, UNKNOWN, NOT_READ}]
    newest = max(live, default=0)
    lowest_needed = min(tail.position, newest)
    if any(author == UNKNOWN for i, author in authors.items() if i > lowest_needed):
        return None
    if newest < complete_above:
        return None
    viewer = b"%d" % viewer_id
    count = sum(i > tail.position and authors[i] != viewer for i in live)
    if count <= cap and tail.position < complete_above:
        return None
    return UnreadCount(count=min(count, cap), capped=count > cap, newest_id=newest or None)


def _is_partial(authors: Mapping[int, bytes]) -> bool:
    """Whether the tail has no sentinel: it is not the whole list, or the list was trimmed."""
    return all(entry > 0 for entry in authors)


def _complete_above(authors: Mapping[int, bytes]) -> int:
    oldest = min(authors)
    return oldest + DISORDER if oldest > 0 else -oldest
