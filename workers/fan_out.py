"""A post's id, pushed into the timelines of its author and of everyone who follows them."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass

import structlog

from feed.bodies import bodies_of
from graph import Graph
from graph.event_kinds import FANOUT_LARGE
from graph.events import Event
from graph.ids import time_of
from observing import metrics
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.errors import FencedError, StalledError, UnfinishedError

log = structlog.get_logger()

PAGE = 12_500
"""Followers read and pushed to at once. A page is ticked off while the next one is pushed, so a
killed worker may push two again: 25,000."""

FIRST_PAGE = 5_000
"""As many of the first page, which nothing is pushed during: the fewer, the sooner it is there."""

TURN_SECONDS = 1.0
"""How long one job pushes before it leaves the rest to the next: a million followers take a few
turns, and whoever posts meanwhile waits for one of them at most."""

STALL_SECONDS = 30.0
"""How long one job tries without coming on: well under RQ's 60 s, and not much longer than a
stopping worker is waited for."""

SMALL_BELOW = 1_000
"""Fewer users than this to push to, the author included, are a small audience in the metrics."""

AUTHOR, FOLLOWERS = -2, -1
"""Cursors: nobody is done yet; the author is, no follower is."""


def fan_out(graph: Graph, storage: Storage, event: Event) -> None:
    """Put the post's body into the cache, its id into the timelines that exist.

    Goes on from the event's cursor, page by page of followers. Safe to repeat: a double is removed
    on reading. A post deleted meanwhile ends it. Raises FencedError, UnfinishedError, StalledError,
    StorageUnavailableError, GraphUnavailableError.
    """
    if not bodies_of(graph, storage, [event.subject_id])[event.subject_id]:
        return
    with ThreadPoolExecutor(1, "followers") as beside:  # its thread starts with its first task
        audience = _FanOut(graph, storage, event, beside).run()
    lag = time.time() - time_of(event.subject_id).timestamp()
    metrics.PUBLISH_TO_VISIBLE.labels(audience=audience).observe(max(0.0, lag))


def audience_of(event: Event, first_page: int) -> str:
    """What a fan-out is counted under, by the length of the first page that its job has read.

    One that goes on from a cursor has had a page, or was cut short: it is no small one.
    """
    if event.queue == FANOUT_LARGE:
        return "large"
    return "small" if event.cursor <= FOLLOWERS and first_page < SMALL_BELOW else "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Who is pushed to next; `after`: the cursor before them; `last`: there is nobody above."""

    user_ids: list[int]
    after: int
    last: bool
    read_at: float

    def cursor(self, answered: int) -> int:
        """The cursor when so many of them, from the first on, are done."""
        if not answered:
            return self.after
        of_author = self.after == AUTHOR and answered == 1
        return FOLLOWERS if of_author else self.user_ids[answered - 1]


class _FanOut:
    """One job's share of a fan-out: a page is pushed while a thread ticks off and reads another."""

    def __init__(
        self, graph: Graph, storage: Storage, event: Event, beside: ThreadPoolExecutor
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._event = event
        self._beside = beside
        self._cursor = self._noted = event.cursor
        self._began = time.monotonic()
        self._broken = False
        self._audience = ""

    def run(self) -> str:
        """Push page after page until there is no follower above the cursor; to what an audience.

        The last page is not ticked off: what comes next is the event's end.
        """
        page = self._read(self._cursor, min(FIRST_PAGE, PAGE))
        self._audience = audience_of(self._event, len(page.user_ids))
        while True:
            answered, following = self._push_while_reading(page)
            self._cursor = page.cursor(answered)
            whole = answered == len(page.user_ids)
            if whole and page.last:
                return self._audience
            self._mind_the_time()
            page = following if whole and following else self._read_again()

    def _push_while_reading(self, page: _Page) -> tuple[int, _Page | None]:
        """How many were answered, and the page behind this one: none behind the last.

        The graph's part is waited for in any case: it may say that the event is no longer ours.
        """
        if page.last:
            return self._push(page), None
        ahead = self._beside.submit(copy_context().run, self._note_and_read, page.user_ids[-1])
        answered = self._push(page)
        return answered, ahead.result()

    def _note_and_read(self, after: int) -> _Page:
        self._note()
        return self._read(after, PAGE)

    def _read_again(self) -> _Page:
        """From the last answered one on, where a page has grown old or its push broke off."""
        self._note()
        return self._read(self._cursor, PAGE)

    def _read(self, after: int, limit: int) -> _Page:
        read_at = time.monotonic()  # before the reading: it may take its time
        user_ids = self._graph.follows.followers_page(
            self._event.author_id, after=max(after, FOLLOWERS), limit=limit
        )
        last = len(user_ids) < limit
        if after == AUTHOR:
            user_ids.insert(0, self._event.author_id)
        return _Page(user_ids=user_ids, after=after, last=last, read_at=read_at)

    def _push(self, page: _Page) -> int:
        """How many of the page, from its start, have been answered.

        Fewer than all when the page has grown old: the rest is read again. A connection that
        breaks is forgiven once, in case only it was at fault; then the cache counts as away.
        """
        began = time.monotonic()
        try:
            answered = self._storage.timelines.push(
                page.user_ids, self._event.subject_id, read_at=page.read_at
            )
        except StorageUnavailableError as error:
            answered = getattr(error, "answered", 0)
            if self._broken and not answered:
                raise
            self._broken = True
        else:
            self._broken = False
        seconds = time.monotonic() - began
        metrics.TIMELINE_PUSHES.labels(audience=self._audience).inc(answered)
        metrics.TIMELINE_PUSH_SECONDS.labels(audience=self._audience).inc(seconds)
        return answered

    def _note(self) -> None:
        """Tick off what has been answered. Raises FencedError where the event is not ours."""
        cursor = self._cursor
        if cursor == self._noted:
            return
        if not self._graph.events.advance(self._event.id, self._event.epoch, cursor):
            raise FencedError(self._event.id)
        self._noted = cursor

    def _mind_the_time(self) -> None:
        seconds = time.monotonic() - self._began
        moved = self._cursor != self._event.cursor
        if moved and seconds > TURN_SECONDS:
            self._note()
            raise UnfinishedError(self._event.id)
        if seconds > STALL_SECONDS:
            raise StalledError(self._event.id)
