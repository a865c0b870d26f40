"""The live streams of one process, wired on its stores."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from api.http.context import Context
from api.live import notifications
from api.live.counting import NOTIFICATION, TICK, Counting
from api.live.exact_reading import ExactReading
from api.live.front import Live
from api.live.journal import Journal
from api.live.rounds import Rounds
from api.live.sessions import SessionChecks
from api.live.streams import Streams
from api.loop.flask_adapter import FlaskAdapter
from api.loop.threads import BoundedThreads
from api.services.sessions import load_copies
from feed import unread
from feed.copy_reading import AsyncCache, CopyReader
from feed.unread import UnreadCount
from storage.read_quotas import ReadQuotas

SLOW_COUNTS = 2
"""Counts in threads at a time."""

THREADS = SLOW_COUNTS + 1
"""For what blocks; one is left for sessions. Flask's are not used: news delay no request."""

WAIT_SECONDS = 1.0
"""How long what blocks waits for a thread."""


class LiveStreams:
    """The route, and the tasks behind it."""

    def __init__(
        self,
        context: Context,
        flask: FlaskAdapter,
        *,
        cache: AsyncCache,
        reader: CopyReader,
        quotas: ReadQuotas,
    ) -> None:
        self.streams = Streams(context.settings.live_streams)
        self._context = context
        self._threads = BoundedThreads(THREADS, name="live", wait_seconds=WAIT_SECONDS)
        self._journal = Journal()
        exact = ExactReading(cache, reader)
        sessions = SessionChecks(
            cache,
            reader,
            self._threads,
            lambda viewers: load_copies(context.graph, context.storage, viewers),
            context.last_uses,
        )
        self._counting = Counting(
            exact,
            reader,
            self._threads,
            self._journal,
            counts={TICK: self._count_posts, NOTIFICATION: self._count_notifications},
        )
        self._rounds = Rounds(
            self.streams,
            exact=exact,
            copies=reader.copies,
            sessions=sessions,
            counting=self._counting,
            threads=self._threads,
            journal=self._journal,
            build=self._build,
            load_notifications=self._load_notifications,
        )
        self.front = Live(
            self.streams,
            flask,
            cache=cache,
            sessions=sessions,
            rounds=self._rounds,
            quotas=quotas,
            journal=self._journal,
            keys=context.token_keys,
            failing=context.failing_tokens,
            trusted_proxies=context.settings.trusted_proxies,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for news meanwhile. At the end the streams end too."""
        counting = self._counting
        slow = [counting.run_slowly() for _ in range(SLOW_COUNTS)]
        work = (self._rounds.run(), counting.run_fast(), counting.run_late(), *slow)
        tasks = [asyncio.create_task(coroutine) for coroutine in work]
        try:
            yield
        finally:
            self.front.stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._threads.close()
            with suppress(Exception):  # a full disk, for example
                self._journal.take(len(self.streams)).write()

    def _count_posts(self, user_id: int) -> UnreadCount:
        context = self._context
        return unread.count(
            context.graph,
            context.storage,
            context.rebuilder,
            context.graph_pages,
            viewer_id=user_id,
        ).unread

    def _count_notifications(self, user_id: int) -> UnreadCount | None:
        return notifications.count_unread(self._context.graph, user_id)

    def _build(self, user_ids: Sequence[int]) -> None:
        for user_id in user_ids:
            self._context.rebuilder.schedule(user_id)

    def _load_notifications(self, user_ids: Sequence[int]) -> None:
        notifications.load_newest(self._context.graph, self._context.storage, user_ids)
