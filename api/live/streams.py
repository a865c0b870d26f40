"""The open streams of a process, and their bounds. Pure, but for the event that wakes a sender."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime

from api.live import events
from api.live.events import LastSeen
from api.live.seen import Seen
from api.services.sessions import Viewer
from graph.ids import first_id_at

STREAMS_A_USER = 5
"""Streams of one user at one process."""

COMMENT_SECONDS = 15.0
"""A stream that has sent nothing for this time sends a comment."""

COMMENT, OPENING = "comment", "opening"
"""What a stream sends beside events."""


class Stream:
    """One open stream: what its client has seen, and what is still to be sent.

    Of each kind of event one is kept, the newest: so what is to be sent is bounded, however slowly
    the client reads. For the loop's thread.
    """

    def __init__(self, viewer: Viewer, last_seen: LastSeen | None, *, expires_at: int) -> None:
        """`expires_at` of the session, in Unix seconds. It is renewed with the session's copy."""
        self.viewer = viewer
        self.expires_at = expires_at
        opened = first_id_at(datetime.now(UTC))
        known = last_seen or LastSeen(0, 0)
        after = last_seen or LastSeen(opened, opened)  # else news is what is younger than this
        self.seen = Seen(after.post_id, newest=known.post_id)
        self.notification_id = known.notification_id
        """The newest notification that was seen, 0 for none."""
        self._notifications_after = after.notification_id
        self.entries: list[bytes] | None = None
        """The reply of the last look, to be compared with the next one."""
        self.end_reason = ""
        """Why the stream ends, once it does."""
        self.missing_rounds = 0
        """Rounds in a row that have found no timeline."""
        self.events = 0
        """Events that were sent."""
        self._unsent: dict[str, bytes] = {}
        self._sent_at = time.monotonic()
        self._wake = asyncio.Event()

    @property
    def last_seen(self) -> LastSeen:
        """The id of the next event."""
        return LastSeen(self.seen.newest, self.notification_id)

    def note_notification(self, newest: int) -> bool:
        """Whether the newest notification of the user is news. It counts as seen."""
        is_news = newest > self._notifications_after
        self.notification_id = max(newest, self.notification_id)
        self._notifications_after = self.notification_id
        return is_news

    def put(self, name: str, event: bytes) -> None:
        """Send the event soon, instead of an unsent one of this name."""
        self._unsent.pop(name, None)
        self._unsent[name] = event
        self._wake.set()

    def comment(self, now: float) -> None:
        """Send a comment if nothing else was sent for COMMENT_SECONDS. `now`: monotonic."""
        if now - self._sent_at >= COMMENT_SECONDS and not self._unsent:
            self.put(COMMENT, events.COMMENT)

    def end(self, reason: str) -> None:
        """End the stream after what is unsent. The first reason counts."""
        if not self.end_reason:
            self.end_reason = reason
            if reason == "signed-out":
                self._unsent = {reason: events.signed_out(self.last_seen)}
            self._wake.set()

    async def unsent(self) -> bytes:
        """What is to be sent now. Waits for it; empty at the end of the stream."""
        while not self._unsent and not self.end_reason:
            self._wake.clear()
            await self._wake.wait()
        chunk = b"".join(self._unsent.values())
        self.events += len(self._unsent.keys() - {COMMENT, OPENING})
        self._unsent = {}
        self._sent_at = time.monotonic()
        return chunk


class Streams:
    """The open streams of this process. `most` at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._streams: dict[Stream, None] = {}
        self._by_user: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def is_full(self) -> bool:
        """Whether the process has as many as it takes."""
        return len(self._streams) >= self._most

    def user_is_full(self, user_id: int) -> bool:
        """Whether the user has as many as one user can have."""
        return self._by_user[user_id] >= STREAMS_A_USER

    def add(self, stream: Stream) -> None:
        """Add an open stream."""
        self._streams[stream] = None
        self._by_user[stream.viewer.user_id] += 1

    def remove(self, stream: Stream) -> None:
        """Remove a stream that has ended."""
        del self._streams[stream]
        user_id = stream.viewer.user_id
        self._by_user[user_id] -= 1
        if not self._by_user[user_id]:
            del self._by_user[user_id]

    def all(self) -> list[Stream]:
        """The streams, the oldest first."""
        return list(self._streams)

    def end_all(self, reason: str) -> None:
        """End all streams."""
        for stream in self._streams:
            stream.end(reason)
