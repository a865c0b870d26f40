"""One post on its way into many timelines: packed, one buffer ahead, soon or never."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graph.ids import ms_of
from storage.redis.protocol import Wire, checked, pack, pack_parts
from storage.timeline_layout import ABOVE_NOTHING, DISORDER_SECONDS, timeline_key

BUFFER = 500
"""Plain pushes a buffer: the send and its answers weigh little then, and it is done in 2 ms."""
ORDERED_BUFFER = 100
"""Users a call of the script: 0.6 ms where the post goes to the tail, as in a backlog; 40 ms where
all go far from it. Two such calls must be answered within the time-out, on a busy machine too."""
MAX_AGE_SECONDS = 5.0
"""What was read longer ago is not pushed. With the 10 s of silence after which the cache closes a
connection this bounds how late a push can land; the hold after leaving is longer."""
LATE_SECONDS = DISORDER_SECONDS / 2
"""A post older than that is put at its place; the other half is left for delays and clocks."""
RPUSHX = b"*3\r\n$6\r\nRPUSHX\r\n$17\r\ntl:%%014x\r\n$%d\r\n%d\r\n"
"""A plain push of a given post; formatted twice: with the post, then for many users at once."""
ORDERED_KEY = b"$17\r\ntl:%014x\r\n"
"""A key of the script's; formatted for many users at once: packing each was half of our part."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Commands ready to be sent, for these users."""

    user_ids: Sequence[int]
    data: bytes
    commands: int


@dataclass(slots=True, kw_only=True)
class Push:
    """One post, pushed over one connection. `answered` counts users from the first on."""

    wire: Wire
    post_id: int
    ordered_script: bytes
    cap: int
    longest: int
    answered: int = 0
    too_long: list[int] = field(default_factory=list)

    def run(self, user_ids: Sequence[int], *, read_at: float) -> None:
        """Pushes to the users in their order until done, or until `read_at` is too long ago.

        Nothing is sent twice by itself. After an error the caller knows `answered`; the rest may
        have arrived or not.
        """
        ahead: Buffer | None = None
        at = 0
        while at < len(user_ids):
            buffer = self._pack(user_ids, at)
            if time.monotonic() - read_at > MAX_AGE_SECONDS:  # last thing before the send
                break
            self.wire.send(buffer.data, buffer.commands)
            if ahead:
                self._settle(ahead)
            ahead = buffer
            at += len(buffer.user_ids)
        if ahead:
            self._settle(ahead)
        self._trim()

    def _pack(self, user_ids: Sequence[int], at: int) -> Buffer:
        if self._is_late():
            return self._pack_ordered(user_ids[at : at + ORDERED_BUFFER])
        part = user_ids[at : at + BUFFER]
        post = b"%d" % self.post_id
        plain = RPUSHX % (len(post), self.post_id)
        return Buffer(part, (plain * len(part)) % tuple(part), len(part))

    def _pack_ordered(self, user_ids: Sequence[int]) -> Buffer:
        """EVAL with the script's text, as long as its 100 keys.

        EVALSHA would save little of such a call, and after NOSCRIPT the buffer ahead would have
        failed too, to be sent again later than it was judged.
        """
        count = len(user_ids)
        script = pack_parts(b"EVAL", self.ordered_script, count)
        keys = (ORDERED_KEY * count) % tuple(user_ids)
        arguments = pack_parts(self.post_id, -ABOVE_NOTHING, self.longest)
        return Buffer(user_ids, b"*%d\r\n" % (count + 6) + script + keys + arguments, 1)

    def _is_late(self) -> bool:
        posted_at = ms_of(self.post_id) / 1_000
        return time.time() - posted_at > LATE_SECONDS

    def _settle(self, buffer: Buffer) -> None:
        replies: list[Any] = checked(self.wire.read(buffer.commands))
        if buffer.commands == 1 and isinstance(replies[0], list):
            self.too_long += [buffer.user_ids[number - 1] for number in replies[0]]
        elif max(replies) > self.longest:
            lengths = zip(buffer.user_ids, replies, strict=True)
            self.too_long += [user_id for user_id, length in lengths if length > self.longest]
        self.answered += len(buffer.user_ids)

    def _trim(self) -> None:
        for start in range(0, len(self.too_long), BUFFER):
            part = self.too_long[start : start + BUFFER]
            self.wire.ask([pack(b"LTRIM", timeline_key(u), -self.cap, -1) for u in part])
