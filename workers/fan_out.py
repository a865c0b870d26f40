"""Fan-out: pushes a post's id into the timelines of its author and of all followers."""

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
"""Followers that are read and pushed at once. The cursor is saved for a page while the next page is
pushed, so two pages (25,000 followers) can be pushed again after a kill."""

FIRST_PAGE = 5_000
"""Followers in the first page. No push runs while it is read, so it is smaller and comes sooner."""

TURN_SECONDS = 1.0
"""How long one job pushes before it leaves the rest to another job. A million followers take a few
jobs, and a post published meanwhile waits for one of them at most."""

STALL_SECONDS = 30.0
"""How long one job tries without progress: well below RQ's 60 s, and not much longer than a worker
is given to stop."""

SMALL_BELOW = 1_000
"""Audiences of fewer users, the author included, are `small` in the metrics."""

CURSOR_BEFORE_AUTHOR, CURSOR_BEFORE_FOLLOWERS = -2, -1
"""Cursors: nothing has been pushed; only the author's timeline has."""


def fan_out(graph: Graph, storage: Storage, event: Event) -> None:
    """Write the post's body into the cache, and push its id into the timelines that exist.

    Continues from the event's cursor, one page of followers at a time, and ends early if the post
    has been deleted. The id of a post whose author is hidden is pushed: its body is absent as long
    as the author is, and no timeline is built anew when the author comes back. Can be repeated, as
    readers ignore duplicates. Raises FencedError, UnfinishedError, StalledError,
    StorageUnavailableError, GraphUnavailableError.
    """
    post_id = event.subject_id
    body = bodies_of(graph, storage, [post_id])[post_id]
    if not body and not graph.posts.existing_ids([post_id]):
        return
    with ThreadPoolExecutor(1, "followers") as executor:  # starts its thread with the first task
        audience = _FanOutJob(graph, storage, event, executor).run()
    observe_lag(event, audience)


def observe_lag(event: Event, audience: str) -> None:
    """Observe the time from a post's id to now, when all followers have it."""
    lag = time.time() - time_of(event.subject_id).timestamp()
    metrics.PUBLISH_TO_VISIBLE.labels(audience=audience).observe(max(0.0, lag))


def audience_of(event: Event, first_page: int) -> str:
    """The audience's size in the metrics: `small`, `medium` or `large`. Pure.

    `first_page`: the length of the first page that this job has read. A job that continues from a
    cursor has had pages before, so its audience is not small.
    """
    if event.queue == FANOUT_LARGE:
        return "large"
    is_first_job = event.cursor <= CURSOR_BEFORE_FOLLOWERS
    return "small" if is_first_job and first_page < SMALL_BELOW else "medium"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Users to push to next. `after`: the cursor before them. `is_last`: no follower is above."""

    user_ids: list[int]
    after: int
    is_last: bool
    read_at: float

    def cursor(self, pushed: int) -> int:
        """The cursor after the first `pushed` users of the page."""
        if not pushed:
            return self.after
        only_author = self.after == CURSOR_BEFORE_AUTHOR and pushed == 1
        return CURSOR_BEFORE_FOLLOWERS if only_author else self.user_ids[pushed - 1]


class _FanOutJob:
    """One job of a fan-out. A thread saves the cursor and reads a page while another is pushed."""

    def __init__(
        self, graph: Graph, storage: Storage, event: Event, executor: ThreadPoolExecutor
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._event = event
        self._executor = executor
        self._cursor = self._saved_cursor = event.cursor
        self._began_at = time.monotonic()
        self._push_failed = False
        self._audience = ""

    def run(self) -> str:
        """Push page after page up to the last follower; returns the audience for the metrics.

        The cursor is not saved after the last page: the caller finishes the event next.
        """
        page = self._read(self._cursor, min(FIRST_PAGE, PAGE))
        self._audience = audience_of(self._event, len(page.user_ids))
        while True:
            pushed, next_page = self._push_while_reading(page)
            self._cursor = page.cursor(pushed)
            is_complete = pushed == len(page.user_ids)
            if is_complete and page.is_last:
                return self._audience
            self._check_time()
            page = next_page if is_complete and next_page else self._reread()

    def _push_while_reading(self, page: _Page) -> tuple[int, _Page | None]:
        """How many users were pushed to, and the next page (None after the last).

        Always waits for the graph's result: it can be that the event has another claimant.
        """
        if page.is_last:
            return self._push(page), None
        reading = self._executor.submit(copy_context().run, self._save_and_read, page.user_ids[-1])
        pushed = self._push(page)
        return pushed, reading.result()

    def _save_and_read(self, after: int) -> _Page:
        self._save_cursor()
        return self._read(after, PAGE)

    def _reread(self) -> _Page:
        """The page from the cursor, after a page that grew too old or a push that failed."""
        return self._save_and_read(self._cursor)

    def _read(self, after: int, limit: int) -> _Page:
        read_at = time.monotonic()  # before the read, which can be slow
        user_ids = self._graph.follows.followers_page(
            self._event.author_id, after=max(after, CURSOR_BEFORE_FOLLOWERS), limit=limit
        )
        is_last = len(user_ids) < limit
        if after == CURSOR_BEFORE_AUTHOR:
            user_ids.insert(0, self._event.author_id)
        return _Page(user_ids=user_ids, after=after, is_last=is_last, read_at=read_at)

    def _push(self, page: _Page) -> int:
        """Push to the page; returns how many of its first users it reached.

        Fewer than all if the page grew too old or the connection broke. The rest is then read
        again. A second failure in a row without progress raises StorageUnavailableError.
        """
        began_at = time.monotonic()
        try:
            pushed = self._storage.timelines.push(
                page.user_ids, self._event.subject_id, read_at=page.read_at
            )
        except StorageUnavailableError as error:
            pushed = error.answered
            if self._push_failed and not pushed:
                raise
            self._push_failed = True
        else:
            self._push_failed = False
        seconds = time.monotonic() - began_at
        metrics.TIMELINE_PUSHES.labels(audience=self._audience).inc(pushed)
        metrics.TIMELINE_PUSH_SECONDS.labels(audience=self._audience).inc(seconds)
        return pushed

    def _save_cursor(self) -> None:
        """Save the progress in the event. Raises FencedError if another worker has claimed it."""
        cursor = self._cursor
        if cursor == self._saved_cursor:
            return
        if not self._graph.events.advance(self._event.id, self._event.epoch, cursor):
            raise FencedError(self._event.id)
        self._saved_cursor = cursor

    def _check_time(self) -> None:
        """Raise UnfinishedError or StalledError if the job's time is over, FencedError as above."""
        seconds = time.monotonic() - self._began_at
        has_moved = self._cursor != self._event.cursor
        if has_moved and seconds > TURN_SECONDS:
            self._save_cursor()
            raise UnfinishedError(self._event.id)
        if seconds > STALL_SECONDS:
            raise StalledError(self._event.id)
