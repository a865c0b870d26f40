"""Once a second: news of all streams of the process, read off the cache in small buffers.

The buffers are spread over the second, so that the loop answers requests between them.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import structlog

from api.live.counting import NOTIFICATION, TICK, Counting
from api.live.exact_reading import ExactReading
from api.live.journal import Journal
from api.live.seen import ENTRIES
from api.live.sessions import SessionChecks
from api.live.streams import Stream, Streams
from api.loop.threads import BoundedThreads, OverloadedError
from feed.copies import Copies
from graph.errors import GraphError
from storage import windows
from storage.errors import StorageError
from storage.notices.newest_notifications import pack_newest
from storage.timeline_layout import ABOVE_NOTHING

log = structlog.get_logger()

PERIOD_SECONDS = 1.0
STREAMS_A_BUFFER = 32
"""Streams of one buffer: 0.3 ms of the loop."""

BUILDS_A_ROUND = 32
"""Timelines whose building is scheduled in one round. The rebuilder has other work too."""

LOADS_A_ROUND = 256
"""Users whose newest notification is read from the graph in one round."""

LONGEST_PAUSE = 32
"""Rounds between two tries to build a timeline. They begin with 1, 2, 4."""

UNFINISHED = b"%d" % -ABOVE_NOTHING
"""The sentinel of a timeline that is being built."""


class Rounds:
    """Looks for news. For the loop's thread."""

    def __init__(
        self,
        streams: Streams,
        *,
        exact: ExactReading,
        copies: Copies,
        sessions: SessionChecks,
        counting: Counting,
        threads: BoundedThreads,
        journal: Journal,
        build: Callable[[Sequence[int]], None],
        load_notifications: Callable[[Sequence[int]], None],
    ) -> None:
        """Both functions get ids of users, and block.

        `build` schedules their timelines; `load_notifications` has the cache know their newest
        notifications.
        """
        self._streams = streams
        self._exact = exact
        self._copies = copies
        self._sessions = sessions
        self._counting = counting
        self._threads = threads
        self._journal = journal
        self._build = build
        self._load_notifications = load_notifications
        self._to_build: dict[int, None] = {}
        self._to_load: set[int] = set()
        self._asking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """A round each second, until cancelled."""
        while True:
            began = time.monotonic()
            try:
                await self._round(began)
            except Exception:  # a bug here must not end the streams
                with suppress(Exception):  # a full disk, for example
                    log.exception("live round failed")
            seconds = time.monotonic() - began
            self._journal.round_ended(seconds)
            await self._report()
            await asyncio.sleep(max(0.0, PERIOD_SECONDS - seconds))

    async def look(self, streams: Sequence[Stream]) -> None:
        """Note the news of these streams, in one buffer. Raises StorageError."""
        began = self._copies.begin()
        try:
            unknown = self._sessions.unknown(streams)
            commands = [command for stream in streams for command in _pack(stream)]
            replies = await self._exact.read(
                [stream.viewer.user_id for stream in streams],
                [*commands, *self._sessions.pack(unknown)],
            )
            silent = set(self._sessions.keep(unknown, replies[len(commands) :], began))
            silent |= set(await self._sessions.dropped(streams, began))
        finally:
            self._copies.end(began)
        for number, stream in enumerate(streams):
            if stream not in silent:
                self._note_posts(stream, replies[2 * number])
                self._note_notification(stream, replies[2 * number + 1])

    async def _round(self, began: float) -> None:
        """One round. Where the cache fails, it only keeps the streams open."""
        batches = list(_batches(self._streams.all()))
        failed = False
        for number, batch in enumerate(batches):
            due = began + number * PERIOD_SECONDS / len(batches)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            _keep_open(batch)
            standing = [stream for stream in batch if not stream.end_reason]
            if failed or not standing:
                continue
            try:
                await self.look(standing)
            except StorageError:
                failed = True
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_threads())

    def _note_posts(self, stream: Stream, reply: list[bytes]) -> None:
        if reply == stream.entries:
            return
        stream.entries = reply if reply and UNFINISHED not in reply else None
        if not reply:
            self._note_missing(stream)
        elif stream.entries:
            stream.missing_rounds = 0
            if stream.seen.look(list(map(int, reply))):
                self._counting.owe(stream, TICK)

    def _note_missing(self, stream: Stream) -> None:
        """Build the timeline soon, where it is this stream's turn."""
        rounds = stream.missing_rounds + 1
        is_turn = rounds & (rounds - 1) == 0 or rounds % LONGEST_PAUSE == 0
        if is_turn and len(self._to_build) >= BUILDS_A_ROUND:
            return  # its turn stays
        stream.missing_rounds = rounds
        if is_turn:
            self._to_build[stream.viewer.user_id] = None

    def _note_notification(self, stream: Stream, reply: bytes | None) -> None:
        if reply is None:
            if len(self._to_load) < LOADS_A_ROUND:
                self._to_load.add(stream.viewer.user_id)
        elif stream.note_notification(int(reply)):
            self._counting.owe(stream, NOTIFICATION)

    async def _ask_threads(self) -> None:
        """What rounds have found missing in the cache. What fails comes again."""
        to_build, self._to_build = list(self._to_build), {}
        to_load, self._to_load = list(self._to_load), set()
        try:
            if to_build:
                await self._threads.run(lambda: self._build(to_build))
            if to_load:
                await self._threads.run(lambda: self._load_notifications(to_load))
        except (GraphError, StorageError, OverloadedError):
            return

    async def _report(self) -> None:
        report = self._journal.take(len(self._streams))
        try:
            await asyncio.get_running_loop().run_in_executor(None, report.write)
        except Exception:  # a full disk, for example: the next report may succeed
            with suppress(Exception):  # the same may happen to this line
                log.exception("live report not written")


def _batches(streams: Sequence[Stream]) -> Iterator[Sequence[Stream]]:
    for start in range(0, len(streams), STREAMS_A_BUFFER):
        yield streams[start : start + STREAMS_A_BUFFER]


def _keep_open(streams: Sequence[Stream]) -> None:
    """Send comments, and end the streams whose session has expired; needs no store."""
    now, unix_now = time.monotonic(), time.time()
    for stream in streams:
        stream.comment(now)
        if unix_now >= stream.expires_at:
            stream.end("signed-out")


def _pack(stream: Stream) -> Sequence[bytes]:
    """The newest entries of the timeline, and the newest notification."""
    user_id = stream.viewer.user_id
    return windows.pack_newest(user_id, ENTRIES - windows.EXTRA_ENTRIES), pack_newest(user_id)
