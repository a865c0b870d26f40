"""How far somebody has read their feed, and how much is unread: by the list, else by the graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from feed.background import Rebuilder
from feed.errors import FeedBusyError
from feed.reading import turns
from graph import Graph
from graph.ids import MAX_ID
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.read_positions import DELETED, NOT_ASKED, UNKNOWN, Tail
from storage.timeline_layout import DISORDER

log = structlog.get_logger()

MOST = 100
"""Nobody reads a larger number, and each more costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """How many posts of others are above a position, and the feed's newest post."""

    count: int
    capped: bool
    newest_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is unread, and the stores that are away."""

    unread: Unread
    degraded: tuple[str, ...] = ()


def count(graph: Graph, storage: Storage, rebuilder: Rebuilder, *, viewer_id: int) -> Answer:
    """What is unread. Where the graph is needed: raises GraphUnavailableError, FeedBusyError."""
    away: set[str] = set()
    position = None
    try:
        tail = storage.read_positions.tail(viewer_id, most=MOST)
        if tail.position is None:
            tail = _with_position(graph, storage, viewer_id)
        position = tail.position
        found = proved_unread(tail, viewer_id, MOST)
    except StorageUnavailableError as error:
        log.warning("unread answered without the cache", error=str(error))
        away.add(error.part)
        found = None
    if found is None:
        found = _from_graph(graph, rebuilder, viewer_id, position)
    if graph.away:
        away.add("graph")
    return Answer(unread=found, degraded=tuple(sorted(away)))


def _with_position(graph: Graph, storage: Storage, viewer_id: int) -> Tail:
    """The tail above the graph's position, of which the cache has a copy from now on."""
    token = storage.read_positions.claim(viewer_id)
    with turns.one(FeedBusyError):
        position = graph.read_positions.read(viewer_id)
    if token:
        storage.read_positions.fill(viewer_id, token, position)
    return storage.read_positions.tail(viewer_id, most=MOST, position=position)


def _from_graph(graph: Graph, rebuilder: Rebuilder, viewer_id: int, position: int | None) -> Unread:
    with turns.one(FeedBusyError):
        if position is None:
            position = graph.read_positions.read(viewer_id)
        counted = graph.read_positions.count_unread(viewer_id, after=position, limit=MOST + 1)
        newest = graph.posts.feed_page(viewer_id, before=MAX_ID, limit=1)
    if not newest.held:
        rebuilder.ask(viewer_id)
    return Unread(
        count=min(counted, MOST),
        capped=counted > MOST,
        newest_id=next(iter(newest.post_ids), None),
    )


def proved_unread(tail: Tail, viewer_id: int, most: int) -> Unread | None:
    """What the tail proves, or None where the graph must answer. Pure.

    What is not in it is below its oldest entry + T, or at most the sentinel's W.
    """
    if tail.position is None or not tail.authors:
        return None
    whole_above = _whole_above(tail.authors)
    trusted = {i: a for i, a in tail.authors.items() if i > 0 and (i >= whole_above or _cut(tail))}
    live = [i for i, a in trusted.items() if a not in {DELETED, UNKNOWN, NOT_ASKED}]
    newest = max(live, default=0)
    if any(a == UNKNOWN for i, a in trusted.items() if i > min(tail.position, newest)):
        return None
    if newest < whole_above:
        return None
    me = b"%d" % viewer_id
    count = sum(i > tail.position and trusted[i] != me for i in live)
    if count <= most and tail.position < whole_above:
        return None
    return Unread(count=min(count, most), capped=count > most, newest_id=newest or None)


def _cut(tail: Tail) -> bool:
    return all(entry > 0 for entry in tail.authors)


def _whole_above(authors: Mapping[int, bytes]) -> int:
    oldest = min(authors)
    return oldest + DISORDER if oldest > 0 else -oldest
