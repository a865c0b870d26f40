"""The unread counts of events, within bounds: thousands of streams can get a tick in one second.

A tick's count is made on the loop, of the timeline's newest entries, the copy of the read position
and the process's copies of bodies, in slices of a millisecond with pauses between them. What these
do not prove, and the counts of notifications, is counted in a few threads. An event whose count is
not there in time is sent with the count UNKNOWN.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from api.live.events import news
from api.live.exact_reading import ExactReading
from api.live.journal import Journal
from api.live.streams import Stream
from api.loop.threads import BoundedThreads, OverloadedError
from feed.copies import Body
from feed.copy_reading import CopyReader
from feed.errors import FeedBusyError
from feed.unread import (
    COUNT_CAP,
    DELETED,
    NOT_READ,
    TAIL_ENTRIES,
    UNKNOWN,
    UnreadCount,
    count_in_tail,
    ids_to_read,
)
from graph.errors import GraphError
from storage.errors import StorageError
from storage.read_positions import Tail, pack_tail, parse_tail

log = structlog.get_logger()

COUNTS_A_BUFFER = 4
"""Ticks whose counts are read from the cache at once."""

BODIES_A_BUFFER = 32
"""Bodies that are read from the cache at once: half a millisecond of the loop."""

SLICE_SECONDS = 0.001
"""After this time the loop does other work, for at least as long."""

SEND_SECONDS = 0.00005
"""What sending an event costs the loop afterwards. It counts as part of the slice."""

LATEST_SECONDS = 1.0
"""An event that has waited longer for its count is sent without it."""

CHECK_SECONDS = 0.1
"""Between two checks for events that are late."""

TICK, NOTIFICATION = "tick", "notification"

UNKNOWN_COUNT = {"count": 0, "capped": True}
"""In place of a count that is not known in time: "more than none". No other count is both."""

Owed = tuple[Stream, str]
"""An event that a stream will get: TICK or NOTIFICATION."""

Count = Callable[[int], UnreadCount | None]
"""Counts for a user; blocks. None: it is not known."""


class _Line:
    """Events that wait for their count, the longest first. An event waits once."""

    def __init__(self) -> None:
        self._events: OrderedDict[Owed, None] = OrderedDict()
        self._wake = asyncio.Event()

    def add(self, owed: Owed) -> None:
        """One more, unless it waits already."""
        self._events[owed] = None
        self._wake.set()

    def discard(self, owed: Owed) -> None:
        """It waits no longer."""
        self._events.pop(owed, None)

    async def take(self, most: int) -> list[Owed]:
        """At least one, removed from the line. Waits for it."""
        while not self._events:
            self._wake.clear()
            await self._wake.wait()
        return [self._events.popitem(last=False)[0] for _ in range(min(most, len(self._events)))]


class Counting:
    """Counts for events that are owed, and sends them. For the loop's thread."""

    def __init__(
        self,
        exact: ExactReading,
        reader: CopyReader,
        threads: BoundedThreads,
        journal: Journal,
        *,
        counts: Mapping[str, Count],
    ) -> None:
        """`counts`: by the kind of event."""
        self._exact = exact
        self._reader = reader
        self._threads = threads
        self._journal = journal
        self._counts = counts
        self._owed: dict[Owed, float] = {}
        """When each event became due, the oldest first."""
        self._fast = _Line()
        """For the cache. This line and the next have only what is owed."""
        self._slow = _Line()
        """For a thread."""
        self._slice_ends = 0.0

    def owe(self, stream: Stream, event: str) -> None:
        """Send the event as soon as its count is known. One that is owed already stays one."""
        if (stream, event) in self._owed:
            return
        self._owed[stream, event] = time.monotonic()
        line = self._fast if event == TICK else self._slow
        line.add((stream, event))

    async def run_fast(self) -> None:
        """Count in the cache until cancelled."""
        while True:
            owed = await self._fast.take(COUNTS_A_BUFFER)
            try:
                await self._count_in_cache([stream for stream, _ in owed])
            except Exception:  # a bug: these events are late soon
                with suppress(Exception):  # a full disk, for example
                    log.exception("live count failed")

    async def run_slowly(self) -> None:
        """Count in a thread until cancelled; as often at once as there are threads."""
        while True:
            [owed] = await self._slow.take(1)
            try:
                await self._count_in_thread(*owed)
            except Exception:  # a bug, as above
                with suppress(Exception):
                    log.exception("live count failed")

    async def run_late(self) -> None:
        """Send what is late, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            latest = time.monotonic() - LATEST_SECONDS
            for owed in [owed for owed, due_at in self._owed.items() if due_at < latest]:
                await self._breathe()
                self._send(*owed, None, "late")

    async def _count_in_cache(self, streams: Sequence[Stream]) -> None:
        """Send the ticks whose count the cache proves; the others are counted in a thread."""
        try:
            tails = await self._tails(streams)
            for stream, tail in zip(streams, tails, strict=True):
                await self._breathe()
                count = await self._count_in_tail(stream.viewer.user_id, tail)
                if count is not None:
                    self._send(stream, TICK, count, "cache")
                elif (stream, TICK) in self._owed:
                    self._slow.add((stream, TICK))
        except StorageError:
            return  # they are late soon

    async def _tails(self, streams: Sequence[Stream]) -> list[Tail]:
        user_ids = [stream.viewer.user_id for stream in streams]
        commands = [command for u in user_ids for command in pack_tail(u, TAIL_ENTRIES)]
        replies: list[Any] = await self._exact.read(user_ids, commands) if commands else []
        return [
            parse_tail(replies[start : start + 2], TAIL_ENTRIES)
            for start in range(0, len(replies), 2)
        ]

    async def _count_in_tail(self, user_id: int, tail: Tail) -> UnreadCount | None:
        """The count if position, tail and bodies are in the cache and prove it. As feed.unread."""
        if tail.position is None:
            return None
        authors: dict[int, bytes] = dict.fromkeys(tail.entries, NOT_READ)
        while post_ids := ids_to_read(authors, tail.position):
            bodies = await self._reader.bodies(post_ids[:BODIES_A_BUFFER])
            authors |= {post_id: _author(body) for post_id, body in bodies.items()}
            await self._breathe()
        return count_in_tail(authors, tail.position, user_id, COUNT_CAP)

    async def _count_in_thread(self, stream: Stream, event: str) -> None:
        count, user_id = self._counts[event], stream.viewer.user_id
        try:
            unread = await self._threads.run(lambda: count(user_id))
        except (GraphError, StorageError, FeedBusyError, OverloadedError):
            unread = None
        self._send(stream, event, unread, "graph" if unread else "late")

    def _send(self, stream: Stream, event: str, unread: UnreadCount | None, source: str) -> None:
        """Send the event, if it is still owed. The count may be None."""
        self._fast.discard((stream, event))
        self._slow.discard((stream, event))
        if self._owed.pop((stream, event), None) is None or stream.end_reason:
            return
        newest_id: int | None = stream.seen.newest if event == TICK else stream.notification_id
        count: dict[str, Any] = UNKNOWN_COUNT
        if unread is not None:
            newest_id = unread.newest_id
            count = {"count": unread.count, "capped": unread.capped}
        stream.put(event, news(event, stream.last_seen, newest_id, count))
        self._slice_ends -= SEND_SECONDS
        self._journal.counted(source)
        self._journal.sent(event)

    async def _breathe(self) -> None:
        """Let the loop do other work, once a slice is used up."""
        now = time.perf_counter()
        if now > self._slice_ends:
            await asyncio.sleep(SLICE_SECONDS)
            self._slice_ends = time.perf_counter() + SLICE_SECONDS


def _author(body: Body | None) -> bytes:
    """The author as feed.unread.author_in finds it in the JSON."""
    if body is None:
        return UNKNOWN
    if not body.json:
        return DELETED
    return UNKNOWN if body.author_id is None else b"%d" % body.author_id
