"""Pushes posts into many timelines, with one buffer in flight while the next is packed."""

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


Pushes = Sequence[tuple[int, Sequence[int]]]
"""Posts' ids, each with the ids of the users to whom it is pushed."""


@dataclass(slots=True)
class Buffer:
    """Packed commands; their last replies are one for each of these users."""

    user_ids: list[int] = field(default_factory=list)
    data: bytes = b""
    commands: int = 0
    room: float = 1.0
    """The share that is still free."""

    def add(self, user_ids: Sequence[int], data: bytes, share: float) -> None:
        """Add a command for each of these users, which together fill a share of the buffer."""
        self.user_ids += user_ids
        self.data += data
        self.commands += len(user_ids)
        self.room -= share


@dataclass(slots=True, kw_only=True)
class Push:
    """A push of posts over one connection. `answered` counts pushes, from the first on."""

    connection: PipelinedConnection
    cap: int
    longest: int
    answered: int = 0
    too_long: list[int] = field(default_factory=list)
    _script_loaded: bool = False
    _templates: dict[int, Sequence[bytes]] = field(default_factory=dict)
    """By post, those of its last command."""
    _ordered: set[int] = field(default_factory=set)
    """Posts whose templates call the script."""

    def run(self, pushes: Pushes, *, read_at: float) -> None:
        """Push to the users in their order, until `read_at` is too long ago.

        Sends nothing twice. After an error, pushes after the first `answered` may have arrived or
        not.
        """
        pushes = [one for one in pushes if one[1]]
        in_flight: Buffer | None = None
        at = start = 0  # the next post; the next of its users
        while at < len(pushes):
            buffer, at, start = self._pack(pushes, at, start)
            if time.monotonic() - read_at > MAX_AGE_SECONDS:  # must be the last step before send()
                break
            self.connection.send(buffer.data, buffer.commands)
            if in_flight:
                self._read_replies(in_flight)
            in_flight = buffer
        if in_flight:
            self._read_replies(in_flight)
        self._trim()

    def _pack(self, pushes: Pushes, at: int, start: int) -> tuple[Buffer, int, int]:
        """A buffer of the pushes from a post's users on; and where the next buffer starts."""
        buffer = Buffer()
        while at < len(pushes):
            post_id, user_ids = pushes[at]
            is_late = _is_late(post_id)
            most = USERS_PER_ORDERED_BUFFER if is_late else USERS_PER_BUFFER
            size = int(buffer.room * most)
            if not size:
                break
            part = user_ids[start : start + size]
            if is_late and not self._script_loaded:
                self._load_script(buffer)
            templates = self._templates_of(post_id, is_late=is_late)
            buffer.add(part, fill_templates(templates, part), len(part) / most)
            at, start = (at, start + size) if start + size < len(user_ids) else (at + 1, 0)
        return buffer, at, start

    def _load_script(self, buffer: Buffer) -> None:
        """Load the script with the first buffer that calls it.

        So no reply is NOSCRIPT: the server would have taken a part of the buffers in flight, and
        the rest would have to be sent again, later than it was judged.
        """
        self._script_loaded = True
        buffer.data = ORDERED.pack_load() + buffer.data
        buffer.commands += 1

    def _templates_of(self, post_id: int, *, is_late: bool) -> Sequence[bytes]:
        """The post's command by partition, made anew if the post has become late."""
        if post_id not in self._templates or (is_late and post_id not in self._ordered):
            make = ordered_templates if is_late else plain_templates
            self._templates[post_id] = make(post_id)
        if is_late:
            self._ordered.add(post_id)
        return self._templates[post_id]

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


def _is_late(post_id: int) -> bool:
    return time.time() - ms_of(post_id) / 1_000 > LATE_SECONDS


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
