"""A post's id, pushed into the timelines of its author and of everyone who follows them."""

import time

import structlog

from graph import Graph
from graph.events import Event
from graph.ids import time_of
from storage import Storage
from storage.errors import StorageUnavailableError
from workers import metrics
from workers.bodies import bodies_of
from workers.errors import FencedError, StalledError, UnfinishedError

log = structlog.get_logger()

PAGE = 5_000
"""Followers read, pushed to and ticked off at once: what a killed worker may push again."""

TURN_SECONDS = 1.0
"""How long one job pushes before it leaves the rest to the next: a million followers take a few
turns, and whoever posts meanwhile waits for one of them at most."""

STALL_SECONDS = 30.0
"""How long one job tries without coming on: well under RQ's 60 s, and not much longer than a
stopping worker is waited for."""

AUTHOR, FOLLOWERS = -2, -1
"""Cursors: nobody is done yet; the author is, no follower is."""


def push_to_author(storage: Storage, author_id: int, post_id: int) -> None:
    """The post into its author's own timeline, before the answer; best effort.

    What is missed here comes with the fan-out, which begins with the author.
    """
    try:
        storage.timelines.push([author_id], post_id, read_at=time.monotonic())
    except StorageUnavailableError as error:
        metrics.AUTHOR_PUSHES_MISSED.inc()
        log.warning("author's timeline missed", post_id=post_id, error=str(error))


def fan_out(graph: Graph, storage: Storage, event: Event) -> None:
    """Put the post's body into the cache, its id into the timelines that exist.

    Goes on from the event's cursor, page by page of followers. Safe to repeat: a double is removed
    on reading. A post deleted meanwhile ends it. Raises FencedError, UnfinishedError, StalledError,
    StorageUnavailableError, GraphUnavailableError.
    """
    if not bodies_of(graph, storage, [event.subject_id])[event.subject_id]:
        return
    _FanOut(graph, storage, event).run()
    lag = time.time() - time_of(event.subject_id).timestamp()
    metrics.PUBLISH_TO_VISIBLE.observe(max(0.0, lag))


class _FanOut:
    """One job's share of a fan-out."""

    def __init__(self, graph: Graph, storage: Storage, event: Event) -> None:
        self._graph = graph
        self._storage = storage
        self._event = event
        self._cursor = event.cursor
        self._began = time.monotonic()
        self._broken = False

    def run(self) -> None:
        """Push page after page until there is no follower above the cursor."""
        while True:
            read_at = time.monotonic()  # before the reading: it may take its time
            page = self._page()
            if not page:
                return
            answered = self._push(page, read_at)
            if answered:
                self._advance(FOLLOWERS if self._cursor == AUTHOR else page[answered - 1])
            self._mind_the_time()

    def _page(self) -> list[int]:
        if self._cursor == AUTHOR:
            return [self._event.author_id]
        return self._graph.follows.followers_page(
            self._event.author_id, after=self._cursor, limit=PAGE
        )

    def _push(self, page: list[int], read_at: float) -> int:
        """How many of the page, from its start, have been answered.

        Fewer than all when the page has grown old: the rest is read again. A connection that
        breaks is forgiven once, in case only it was at fault; then the cache counts as away.
        """
        try:
            answered = self._storage.timelines.push(page, self._event.subject_id, read_at=read_at)
        except StorageUnavailableError as error:
            answered = getattr(error, "answered", 0)
            if self._broken and not answered:
                raise
            self._broken = True
        else:
            self._broken = False
        metrics.TIMELINE_PUSHES.inc(answered)
        return answered

    def _advance(self, cursor: int) -> None:
        if not self._graph.events.advance(self._event.id, self._event.epoch, cursor):
            raise FencedError(self._event.id)
        self._cursor = cursor

    def _mind_the_time(self) -> None:
        seconds = time.monotonic() - self._began
        moved = self._cursor != self._event.cursor
        if moved and seconds > TURN_SECONDS:
            raise UnfinishedError(self._event.id)
        if seconds > STALL_SECONDS:
            raise StalledError(self._event.id)
