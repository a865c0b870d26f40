"""Ids: 41 bits of milliseconds since 2024 and 12 more: key, sort order and cursor in one.

They stay below 2^53, so they are exact in JavaScript and in a Redis score.
"""

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from graph.errors import IdTakenError

T = TypeVar("T")

EPOCH_MS = 1_704_067_200_000
"""2024-01-01T00:00Z in Unix milliseconds."""

RANDOM_BITS = 12
"""Bits below the milliseconds."""

MAX_ID = 2**53
"""Above every id, and the largest that is read: exact in JavaScript and in a Redis score."""

CLOCK_TOLERANCE_MS = 5_000
"""How far a host's clock may be from the graph's; further off it publishes nothing."""

DRAWS = 4
"""How many ids are tried for one thing: two processes draw the same id about once in 4,096 times
that they draw in one millisecond."""

BACKWARD_MS = 10_000
"""How far a clock may step back before ids follow it.

More than a host's clock may be off (5 s each way): ids drawn before a larger step were of a clock
so wrong that publishing was refused.
"""

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IdSource:
    """Ids that rise strictly, also within a millisecond and when the clock steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, now_ms: int) -> int:
        """An id of this moment, above every one before it."""
        drawn = draw(now_ms)
        with self._lock:
            if drawn <= self._last and (self._last - drawn) >> RANDOM_BITS <= BACKWARD_MS:
                drawn = self._last + 1 + secrets.randbelow(16)
            self._last = drawn
        return drawn


_SOURCE = IdSource()


def new_id(now_ms: int | None = None) -> int:
    """An id of now, strictly rising within this process; or any id of the moment given."""
    if now_ms is None:
        return _SOURCE.next(time.time_ns() // 1_000_000)
    return draw(now_ms)


def with_new_id(write: Callable[[int], T]) -> T:
    """What `write` returns for a new id; it is called again with another where that is taken.

    Raises IdTakenError where four are taken.
    """
    for _ in range(DRAWS - 1):
        try:
            return write(new_id())
        except IdTakenError:
            continue
    return write(new_id())


def draw(now_ms: int) -> int:
    """Some id of this moment; the uniqueness constraint of its kind decides a collision."""
    return (now_ms - EPOCH_MS) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


def first_id_at(moment: datetime) -> int:
    """The smallest id of this moment: what is older is below it."""
    return (to_ms(moment) - EPOCH_MS) << RANDOM_BITS


def ms_of(of_id: int) -> int:
    """When an id was drawn, in Unix milliseconds."""
    return (of_id >> RANDOM_BITS) + EPOCH_MS


def time_of(of_id: int) -> datetime:
    """When an id was drawn."""
    return from_ms(ms_of(of_id))


def from_ms(ms: int) -> datetime:
    """The moment of a time in the graph: whole milliseconds, exact."""
    return _UNIX_EPOCH + timedelta(milliseconds=ms)


def to_ms(moment: datetime) -> int:
    """A moment as the graph keeps it: whole Unix milliseconds."""
    return (moment - _UNIX_EPOCH) // timedelta(milliseconds=1)
