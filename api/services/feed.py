"""One page of a viewer's feed: from the timeline where that is exact, from the graph elsewhere.

The rules are those of docs/decisions/0001: a list is complete above its watermark,
the newest entries answer a first page only where lateness cannot have left a hole, and below the
watermark the same cursor goes on in the graph. So a feed ends only where the posts end.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog

from api.cursors import Cursor
from api.services.errors import FeedBusyError
from graph import Graph
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.windows import Window, first_page, page_above, page_below
from workers.bodies import bodies_of
from workers.metrics import TIMELINE_READS

log = structlog.get_logger()

TOP = 1 << 53
"""Above every id: where a feed read from its top begins."""

GRAPH_PAGES = 3
"""Pages that one process asks of the graph at once: with all timelines gone, or the graph slow,
one of its four threads stays for readers whose timelines stand."""
GRAPH_PAGE_SECONDS = 0.25
"""How long a page waits for its turn at the graph: some twenty pages, where the graph is well."""
BUSY_SECONDS = 1.0
"""After a page has waited in vain: for so long none waits, or all threads would stand in line."""


class Turns:
    """So many callers at a time; who cannot have a turn soon is told so at once."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._busy_until = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A turn. Raises FeedBusyError."""
        if not self._taken():
            raise FeedBusyError
        try:
            yield
        finally:
            self._free.release()

    def _taken(self) -> bool:
        if self._free.acquire(blocking=False):
            return True
        if time.monotonic() < self._busy_until:
            return False
        if self._free.acquire(timeout=GRAPH_PAGE_SECONDS):
            return True
        self._busy_until = time.monotonic() + BUSY_SECONDS
        return False


turns = Turns(GRAPH_PAGES)  # of the process, as its threads are


class Rebuilder(Protocol):
    """Builds missing timelines behind the answers, bounded."""

    def ask(self, user_id: int) -> None:
        """Have the user's timeline built soon, or not at all when too many wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Finished post bodies, newest first, and where the neighbouring pages start."""

    bodies: list[bytes]
    next: Cursor | None
    prev: Cursor | None
    degraded: tuple[str, ...] = ()
    """Stores that are away: the page is right without them, and slower or not to be had soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ids:
    """A page before its bodies: ids newest first, what is known of them, where older ones start."""

    ids: Sequence[int]
    next_id: int | None
    known: Mapping[int, bytes | None]


def page(
    graph: Graph,
    storage: Storage,
    rebuilder: Rebuilder,
    *,
    viewer_id: int,
    cursor: Cursor | None,
    limit: int,
) -> FeedPage:
    """The feed's page under (`before`), above (`after`) a cursor, or its first.

    Ids strictly fall. A page may hold fewer than `limit` posts, as deleted ones are left out: only
    an absent `next` is the end. Where the graph is needed: raises GraphUnavailableError, and
    FeedBusyError when too many pages wait for it.
    """
    if cursor and cursor.direction == "after":
        return _page_above(graph, storage, viewer_id=viewer_id, after=cursor.id, limit=limit)
    before = cursor.id if cursor else TOP
    away: set[str] = set()
    found = _from_timeline(storage, viewer_id, before=before, limit=limit, away=away)
    if found is None:
        found = _from_graph(graph, storage, rebuilder, viewer_id, before=before, limit=limit)
    return FeedPage(
        bodies=_bodies(graph, storage, found),
        next=None if found.next_id is None else Cursor("before", found.next_id),
        prev=_prev(found.ids, cursor),
        degraded=_degraded(graph, away),
    )


def _degraded(graph: Graph, away: set[str]) -> tuple[str, ...]:
    return tuple(sorted(away | ({"graph"} if graph.away else set())))


def _prev(ids: Sequence[int], cursor: Cursor | None) -> Cursor | None:
    """Where what is newer than this page starts; absent on an empty feed's first page."""
    if ids:
        return Cursor("after", ids[0])
    return Cursor("after", cursor.id - 1) if cursor else None


def _bodies(graph: Graph, storage: Storage, found: _Ids) -> list[bytes]:
    """The bodies of the page's posts, without those of deleted ones."""
    bodies = bodies_of(graph, storage, found.ids, known=found.known)
    return [body for post_id in found.ids if (body := bodies.get(post_id))]


def _from_timeline(
    storage: Storage, viewer_id: int, *, before: int, limit: int, away: set[str]
) -> _Ids | None:
    """The page where the timeline proves it exact; None where the graph must answer."""
    try:
        if before < TOP:
            return _from_whole_list(storage, viewer_id, before=before, limit=limit)
        window = storage.timelines.window(viewer_id, limit)
        if not window.entries:
            return None
        return _newest(window, limit) or _from_whole_list(
            storage, viewer_id, before=before, limit=limit
        )
    except StorageUnavailableError as error:
        _note_away(error, away)
        return None


def _note_away(error: StorageUnavailableError, away: set[str]) -> None:
    log.warning("feed answered without the cache", error=str(error))
    away.add(error.part)


def _newest(window: Window, limit: int) -> _Ids | None:
    """The first page from the newest entries alone, which took one round trip."""
    found = first_page(window, limit)
    if found is None:
        return None
    TIMELINE_READS.labels(source="window").inc()
    known = dict(zip(found.ids, found.bodies, strict=True))
    return _Ids(ids=found.ids, next_id=found.next_id, known=known)


def _from_whole_list(storage: Storage, viewer_id: int, *, before: int, limit: int) -> _Ids | None:
    """A page from all entries; None without a list, or where it goes below the watermark."""
    found = page_below(storage.timelines.whole(viewer_id), before, limit)
    if not found.complete:
        return None
    known = storage.bodies.many(found.ids)
    TIMELINE_READS.labels(source="list").inc()
    return _Ids(ids=found.ids, next_id=found.next_id, known=known)


def _from_graph(
    graph: Graph,
    storage: Storage,
    rebuilder: Rebuilder,
    viewer_id: int,
    *,
    before: int,
    limit: int,
) -> _Ids:
    """A page from the graph, which is always right; at the top it also has the timeline built."""
    with turns.one():
        pull = graph.posts.feed_page(viewer_id, before=before, limit=limit + 1)
    TIMELINE_READS.labels(source="graph").inc()
    if before == TOP and not pull.held:
        rebuilder.ask(viewer_id)
    ids = pull.post_ids[:limit]
    next_id = ids[-1] if len(pull.post_ids) > limit else None
    return _Ids(ids=ids, next_id=next_id, known=_known(storage, ids))


def _known(storage: Storage, post_ids: Sequence[int]) -> Mapping[int, bytes | None]:
    """What the cache has of these bodies; nothing while it is away, which was logged before."""
    try:
        return storage.bodies.many(post_ids)
    except StorageUnavailableError:
        return {}


def _page_above(
    graph: Graph, storage: Storage, *, viewer_id: int, after: int, limit: int
) -> FeedPage:
    """The page just above an id: what has come since, the oldest of it, newest first."""
    away: set[str] = set()
    rising = _ids_above(graph, storage, viewer_id=viewer_id, after=after, limit=limit, away=away)
    ids = rising[::-1]
    found = _Ids(ids=ids, next_id=None, known=_known(storage, ids))
    return FeedPage(
        bodies=_bodies(graph, storage, found),
        next=Cursor("before", ids[-1] if ids else after + 1),
        prev=Cursor("after", ids[0] if ids else after),
        degraded=_degraded(graph, away),
    )


def _ids_above(
    graph: Graph, storage: Storage, *, viewer_id: int, after: int, limit: int, away: set[str]
) -> list[int]:
    """The oldest `limit` ids above `after`, rising."""
    try:
        found = page_above(storage.timelines.whole(viewer_id), after, limit)
    except StorageUnavailableError as error:
        _note_away(error, away)
        found = None
    if found is not None:
        TIMELINE_READS.labels(source="list").inc()
        return found
    with turns.one():
        rising = graph.posts.feed_page_up(viewer_id, after=after, limit=limit)
    TIMELINE_READS.labels(source="graph").inc()
    return rising
