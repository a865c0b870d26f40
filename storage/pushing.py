"""Pushes one post into many timelines, with one buffer in flight while the next is packed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graph.ids import ms_of
from storage.redis.protocol import PipelinedConnection, pack, pack_parts, raise_first_error
from storage.timeline_layout import ABOVE_NOTHING, DISORDER_SECONDS, timeline_key

USERS_PER_BUFFER = 500
"""Plain pushes per buffer. The server needs 2 ms for them; smaller buffers cost more per push."""
USERS_PER_ORDERED_BUFFER = 100
"""Users per call of the script: 0.6 ms if the post goes to the tails, as in a backlog; 40 ms if it
goes far from all of them. Two such calls must end within the time-out on a busy machine too."""
MAX_AGE_SECONDS = 5.0
"""Users read longer ago than this are not pushed to. The cache closes a connection after 10 s of
silence. Together the two bound how late a push can arrive; a leaving is held longer than that."""
LATE_SECONDS = DISORDER_SECONDS / 2
"""An older post is inserted at its place. The other half of T is for delays and clocks."""
RPUSHX = b"*3\r\n$6\r\nRPUSHX\r\n$17\r\ntl:%%014x\r\n$%d\r\n%d\r\n"
"""The template of a plain push: formatted first with the post, then with many users at once."""
ORDERED_KEY = b"$17\r\ntl:%014x\r\n"
"""The template of a key of the script, formatted with many users at once: packing each key singly
took half of our time."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Packed commands for these users."""

    user_ids: Sequence[int]
    data: bytes
    commands: int


@dataclass(slots=True, kw_only=True)
class Push:
    """A push of one post over one connection. `answered` counts users, from the first on."""

    connection: PipelinedConnection
    post_id: int
    ordered_script: bytes
    cap: int
    longest: int
    answered: int = 0
    too_long: list[int] = field(default_factory=list)

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
        post = b"%d" % self.post_id
        plain = RPUSHX % (len(post), self.post_id)
        return Buffer(part, (plain * len(part)) % tuple(part), len(part))

    def _pack_ordered(self, user_ids: Sequence[int]) -> Buffer:
        """EVAL with the script's text, which is as long as the 100 keys.

        EVALSHA would save little. After NOSCRIPT the buffer in flight would have failed too, and
        would have to be sent again, later than it was judged.
        """
        count = len(user_ids)
        script = pack_parts(b"EVAL", self.ordered_script, count)
        keys = (ORDERED_KEY * count) % tuple(user_ids)
        arguments = pack_parts(self.post_id, -ABOVE_NOTHING, self.longest)
        return Buffer(user_ids, b"*%d\r\n" % (count + 6) + script + keys + arguments, 1)

    def _is_late(self) -> bool:
        posted_at = ms_of(self.post_id) / 1_000
        return time.time() - posted_at > LATE_SECONDS

    def _read_replies(self, buffer: Buffer) -> None:
        replies: list[Any] = raise_first_error(self.connection.read(buffer.commands))
        if buffer.commands == 1 and isinstance(replies[0], list):
            self.too_long += [buffer.user_ids[number - 1] for number in replies[0]]
        elif max(replies) > self.longest:
            lengths = zip(buffer.user_ids, replies, strict=True)
            self.too_long += [user_id for user_id, length in lengths if length > self.longest]
        self.answered += len(buffer.user_ids)

    def _trim(self) -> None:
        for start in range(0, len(self.too_long), USERS_PER_BUFFER):
            part = self.too_long[start : start + USERS_PER_BUFFER]
            self.connection.execute([pack(b"LTRIM", timeline_key(u), -self.cap, -1) for u in part])
