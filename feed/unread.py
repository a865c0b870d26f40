"""How many posts a viewer has not read: counted in the timeline, else in the graph.

A count takes two round trips to the cache. The first reads the position and the newest ids, the
second the bodies that have the authors. The whole list is read only if its newest ids do not prove
the count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from feed.background import Rebuilder
from feed.graph_pages import GraphPages
from graph import Graph
from graph.ids import MAX_ID
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.read_positions import Tail
from storage.timeline_layout import DISORDER

log = structlog.get_logger()

COUNT_CAP = 100
"""The largest count that is returned. Larger counts cost more and have no use."""
TAIL_ENTRIES = 128
"""Entries read at first: COUNT_CAP and one, and some for disorder, duplicates and own posts."""
NEWEST_IDS = 4
"""Posts whose bodies are read at least. They show the newest post that is not deleted."""
DELETED, UNKNOWN, NOT_READ = b"", b"?", b"-"
"""In place of an author: the post is deleted, its body is not cached, its body was not read."""

LONGEST_ID = len(str(MAX_ID))
"""Digits."""

Authors = Mapping[int, bytes]
"""Authors by entry, each an id in decimal or one of the above. A sentinel is an entry too."""


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


def count(
    graph: Graph, storage: Storage, rebuilder: Rebuilder, graph_pages: GraphPages, *, viewer_id: int
) -> UnreadReport:
    """The viewer's unread posts.

    Where the graph is needed, raises GraphUnavailableError, FeedBusyError, GraphShareUsedError.
    """
    degraded: set[str] = set()
    position = unread = None
    try:
        position, unread = _count_in_cache(graph, storage, graph_pages, viewer_id)
    except StorageUnavailableError as error:
        log.warning("unread answered without the cache", error=str(error))
        degraded.add(error.part)
    if unread is None:
        with graph_pages.page(viewer_id, "feed"):
            unread = _count_in_graph(graph, rebuilder, viewer_id, position)
    if graph.circuit_open:
        degraded.add("graph")
    return UnreadReport(unread=unread, degraded=tuple(sorted(degraded)))


def _count_in_cache(
    graph: Graph, storage: Storage, graph_pages: GraphPages, viewer_id: int
) -> tuple[int, UnreadCount | None]:
    """The position, and the count if the timeline proves it."""
    tail = storage.read_positions.tail(viewer_id, most=TAIL_ENTRIES)
    position = tail.position
    if position is None:
        with graph_pages.page(viewer_id, "feed"):
            position = _position_in_graph(graph, storage, viewer_id)
        tail = storage.read_positions.tail(viewer_id, most=TAIL_ENTRIES)  # after the position
    authors = read_authors(storage, tail, position, {})
    unread = count_in_tail(authors, position, viewer_id, COUNT_CAP)
    if unread is None and not tail.whole:
        tail = storage.read_positions.tail(viewer_id)
        authors = read_authors(storage, tail, position, authors)
        unread = count_in_tail(authors, position, viewer_id, COUNT_CAP)
    return position, unread


def _position_in_graph(graph: Graph, storage: Storage, viewer_id: int) -> int:
    """The position in the graph, which is also copied into the cache."""
    token = storage.read_positions.reserve(viewer_id)
    position = graph.read_positions.read(viewer_id)
    if token:
        storage.read_positions.fill(viewer_id, token, position)
    return position


def read_authors(storage: Storage, tail: Tail, position: int, known: Authors) -> Authors:
    """The tail's entries with the authors that a count needs. No body in `known` is read again."""
    authors = {entry: known.get(entry, NOT_READ) for entry in tail.entries}
    while post_ids := ids_to_read(authors, position):
        bodies = storage.bodies.read_many(post_ids)
        authors |= {post_id: author_in(post_id, body) for post_id, body in bodies.items()}
    return authors


def ids_to_read(authors: Authors, position: int) -> Sequence[int]:
    """The posts whose bodies a count needs next, newest first; empty if it needs no more. Pure.

    It needs all above the position, and the newest that is not deleted.
    """
    unread = sorted((i for i, a in authors.items() if i > 0 and a == NOT_READ), reverse=True)
    above = sum(post_id > position for post_id in unread)
    read = [author for author in authors.values() if author != NOT_READ]
    if any(author != DELETED for author in read):
        return unread[:above]
    return unread if read else unread[: max(above, NEWEST_IDS)]


def author_in(post_id: int, body: bytes | None) -> bytes:
    """The author's id in the head of a post's body, DELETED for a tombstone, else UNKNOWN. Pure."""
    if not body:
        return UNKNOWN if body is None else DELETED
    head = b'{"id":"%d","author":{"id":"' % post_id
    author, quote, _ = body[len(head) : len(head) + LONGEST_ID + 1].partition(b'"')
    return author if body.startswith(head) and quote and author.isdigit() else UNKNOWN


def _count_in_graph(
    graph: Graph, rebuilder: Rebuilder, viewer_id: int, position: int | None
) -> UnreadCount:
    if position is None:
        position = graph.read_positions.read(viewer_id)
    counted = graph.read_positions.count_unread(viewer_id, after=position, limit=COUNT_CAP + 1)
    newest = graph.posts.feed_page(viewer_id, before=MAX_ID, limit=NEWEST_IDS)
    shown = graph.posts.visible_ids(newest.post_ids, viewer_id=viewer_id)  # some may be hidden
    if not newest.unfollow_pending:
        rebuilder.schedule(viewer_id)
    return UnreadCount(
        count=min(counted, COUNT_CAP),
        capped=counted > COUNT_CAP,
        newest_id=max(shown, default=None),
    )


def count_in_tail(authors: Authors, position: int, viewer_id: int, cap: int) -> UnreadCount | None:
    """The count if the tail proves it; None if the graph must answer. Pure.

    A post outside the tail is below the tail's oldest entry + T, or at most the sentinel's W.
    """
    if not authors:
        return None
    complete_above = _complete_above(authors)
    partial = _is_partial(authors)
    posts = {i: a for i, a in authors.items() if i > 0 and (i >= complete_above or partial)}
    live = [i for i, author in posts.items() if author not in {DELETED, UNKNOWN, NOT_READ}]
    newest = max(live, default=0)
    lowest_needed = min(position, newest)
    if any(author == UNKNOWN for i, author in posts.items() if i > lowest_needed):
        return None
    if newest < complete_above:
        return None
    viewer = b"%d" % viewer_id
    count = sum(i > position and posts[i] != viewer for i in live)
    if count <= cap and position < complete_above:
        return None
    return UnreadCount(count=min(count, cap), capped=count > cap, newest_id=newest or None)


def _is_partial(entries: Iterable[int]) -> bool:
    """Whether the tail has no sentinel: it is not the whole list, or the list was trimmed."""
    return all(entry > 0 for entry in entries)


def _complete_above(entries: Iterable[int]) -> int:
    oldest = min(entries)
    return oldest + DISORDER if oldest > 0 else -oldest
