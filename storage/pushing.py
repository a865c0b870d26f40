"""Pushes one post into many timelines, with one buffer in flight while the next is packed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graph.ids import ms_of
from storage.redis.partitions import COUNT
from storage.redis.protocol import PipelinedConnection, pack, raise_first_error
from storage.redis.scripts import Script
from storage.timeline_layout import (
    ABOVE_NOTHING,
    DISORDER_SECONDS,
    TIMELINE_KEYS,
    timeline_key,
)

USERS_PER_BUFFER = 500
"""Plain pushes per buffer. The server needs 2 ms for them; smaller buffers cost more per push."""
USERS_PER_ORDERED_BUFFER = 100
"""Calls of the script per buffer: 0.4 ms if the post goes to the tails, as in a backlog; 5 ms if it
goes far from them in lists of 400. Two such buffers must end within the time-out on a busy machine
and in longer lists too."""
MAX_AGE_SECONDS = 5.0
"""Users read longer ago than this are not pushed to. The cache closes a connection after 10 s of
silence. Together the two bound how late a push can arrive; a leaving is held longer than that."""
LATE_SECONDS = DISORDER_SECONDS / 2
"""An older post is inserted at its place. The other half of T is for delays and clocks."""
ORDERED = Script("ordered")


@dataclass(frozen=True, slots=True)
class Buffer:
    """Packed commands, the last of them one for each of these users."""

    user_ids: Sequence[int]
    data: bytes
    commands: int


@dataclass(slots=True, kw_only=True)
class Push:
    """A push of one post over one connection. `answered` counts users, from the first on."""

    connection: PipelinedConnection
    post_id: int
    cap: int
    longest: int
    answered: int = 0
    too_long: list[int] = field(default_factory=list)
    _plain: Sequence[bytes] = ()
    _ordered: Sequence[bytes] = ()

    def run(self, user_ids: Sequence[int], *, read_at: float) -> None:
        """Push to the users in their order, until `read_at` is too long ago.

        Sends nothing twice. After an error, pushes to the users after the first `answered` may have
        arrived or not.
        """
        in_flight: Buffer | None = None
        at = 0
        while at < len(user_ids):
            buffer = self._pack(user_ids, at)
            if time.monotonic() - read_at > MAX_AGE_SECONDS:  # must be the last step before send()
                break
            self.connection.send(buffer.data, buffer.commands)
            if in_flight:
                self._read_replies(in_flight)
            in_flight = buffer
            at += len(buffer.user_ids)
        if in_flight:
            self._read_replies(in_flight)
        self._trim()

    def _pack(self, user_ids: Sequence[int], at: int) -> Buffer:
        if self._is_late():
            return self._pack_ordered(user_ids[at : at + USERS_PER_ORDERED_BUFFER])
        part = user_ids[at : at + USERS_PER_BUFFER]
        self._plain = self._plain or plain_templates(self.post_id)
        return Buffer(part, fill_templates(self._plain, part), len(part))

    def _pack_ordered(self, part: Sequence[int]) -> Buffer:
        """A call of the script a user; the first buffer also loads the script.

        So no reply is NOSCRIPT: the server would have taken a part of the buffers in flight, and
        the rest would have to be sent again, later than it was judged.
        """
        load = b"" if self._ordered else ORDERED.pack_load()
        self._ordered = self._ordered or ordered_templates(self.post_id)
        data = load + fill_templates(self._ordered, part)
        return Buffer(part, data, len(part) + bool(load))

    def _is_late(self) -> bool:
        posted_at = ms_of(self.post_id) / 1_000
        return time.time() - posted_at > LATE_SECONDS

    def _read_replies(self, buffer: Buffer) -> None:
        replies: list[Any] = raise_first_error(self.connection.read(buffer.commands))
        lengths = replies[-len(buffer.user_ids) :]
        if max(lengths) > self.longest:
            pairs = zip(buffer.user_ids, lengths, strict=True)
            self.too_long += [user_id for user_id, length in pairs if length > self.longest]
        self.answered += len(buffer.user_ids)

    def _trim(self) -> None:
        for start in range(0, len(self.too_long), USERS_PER_BUFFER):
            part = self.too_long[start : start + USERS_PER_BUFFER]
            self.connection.execute([pack(b"LTRIM", timeline_key(u), -self.cap, -1) for u in part])


def plain_templates(post_id: int) -> list[bytes]:
    """The push of the post by partition, to be formatted with a user's id."""
    packed = pack(b"RPUSHX", timeline_key(0), post_id)
    return [packed.replace(timeline_key(0), key) for key in TIMELINE_KEYS]


def ordered_templates(post_id: int) -> list[bytes]:
    """The call of the script for the post by partition, to be formatted with a user's id."""
    packed = ORDERED.pack_call([timeline_key(0)], [post_id, -ABOVE_NOTHING])
    return [packed.replace(timeline_key(0), key) for key in TIMELINE_KEYS]


def fill_templates(templates: Sequence[bytes], user_ids: Sequence[int]) -> bytes:
    """The commands for these users, in their order.

    They are joined first and formatted at once: 0.12 µs a user. Formatting each singly takes 0.17.
    """
    return b"".join([templates[u % COUNT] for u in user_ids]) % tuple(user_ids)
