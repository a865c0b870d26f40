"""How far somebody has read their feed, and how much is unread: by the list, else by the graph."""

from dataclasses import dataclass

import structlog

from api.services.feed import Rebuilder, turns
from api.services.feed_pages import TOP
from graph import Graph
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.read_positions import Tail, Unread, unread

log = structlog.get_logger()

MOST = 100
"""Nobody reads a larger number, and each more costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is unread, and the stores that are away."""

    unread: Unread
    degraded: tuple[str, ...] = ()


def move(graph: Graph, storage: Storage, *, user_id: int, post_id: int) -> None:
    """Move the position forward, never back.

    Raises GraphUnavailableError, StorageUnavailableError: it may be repeated as often as needed.
    """
    graph.reading.raise_position(user_id, post_id)
    storage.positions.drop(user_id)


def count(graph: Graph, storage: Storage, rebuilder: Rebuilder, *, viewer_id: int) -> Answer:
    """What is unread. Where the graph is needed: raises GraphUnavailableError, FeedBusyError."""
    away: set[str] = set()
    position = None
    try:
        tail = storage.positions.tail(viewer_id, most=MOST)
        if tail.position is None:
            tail = _with_position(graph, storage, viewer_id)
        position = tail.position
        found = unread(tail, viewer_id, MOST)
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
    token = storage.positions.claim(viewer_id)
    with turns.one():
        position = graph.reading.position(viewer_id)
    if token:
        storage.positions.fill(viewer_id, token, position)
    return storage.positions.tail(viewer_id, most=MOST, position=position)


def _from_graph(graph: Graph, rebuilder: Rebuilder, viewer_id: int, position: int | None) -> Unread:
    with turns.one():
        if position is None:
            position = graph.reading.position(viewer_id)
        counted = graph.reading.unread(viewer_id, after=position, limit=MOST + 1)
        newest = graph.posts.feed_page(viewer_id, before=TOP, limit=1)
    if not newest.held:
        rebuilder.ask(viewer_id)
    return Unread(
        count=min(counted, MOST),
        capped=counted > MOST,
        newest_id=next(iter(newest.post_ids), None),
    )
