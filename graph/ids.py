"""Ids: 41 bits of milliseconds since 2024 and 12 random bits. An id is key, sort order and cursor.

Sessions alone have ids without a time (`unguessable_id`).

An id is below 2^53, so it is exact in JavaScript and as a Redis score.
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
"""Number of bits below the milliseconds."""

MAX_ID = 2**53
"""An upper bound of all ids, and the largest id that a request may contain."""

CLOCK_TOLERANCE_MS = 5_000
"""Largest difference between a host's clock and the graph's at which the host may publish."""

ID_ATTEMPTS = 4
"""Number of ids that are tried for one write.

Two processes that generate an id in the same millisecond generate the same id with a probability
of 1 in 4,096.
"""

BACKWARD_MS = 10_000
"""Largest step back of the clock after which ids still rise, in milliseconds.

It covers a change from 5 s ahead to 5 s behind. A larger step means that the clock was so wrong
before that publishing was refused. Then ids follow the new time.
"""

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IdGenerator:
    """Generates ids that rise, also within a millisecond and when the clock steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, now_ms: int) -> int:
        """An id of this time, above every earlier one."""
        new = random_id(now_ms)
        with self._lock:
            if new <= self._last and (self._last - new) >> RANDOM_BITS <= BACKWARD_MS:
                new = self._last + 1 + secrets.randbelow(16)
            self._last = new
        return new


_GENERATOR = IdGenerator()


def new_id(now_ms: int | None = None) -> int:
    """An id of now, above every earlier one of this process; or a random id of the given time."""
    if now_ms is None:
        return _GENERATOR.next(time.time_ns() // 1_000_000)
    return random_id(now_ms)


def unguessable_id() -> int:
    """A random id that says nothing of its time: for what nobody may look for, as sessions."""
    return 1 + secrets.randbelow(MAX_ID - 1)


def with_new_id(write: Callable[[int], T], draw: Callable[[], int] | None = None) -> T:
    """The result of `write` for a new id; repeated with another id if it raises IdTakenError.

    `draw`: returns an id in place of `new_id`. Raises IdTakenError after four ids.
    """
    for _ in range(ID_ATTEMPTS - 1):
        try:
            return write(draw() if draw else new_id())
        except IdTakenError:
            continue
    return write(draw() if draw else new_id())


def random_id(now_ms: int) -> int:
    """A random id of this time; it may exist already, which only a constraint detects."""
    return (now_ms - EPOCH_MS) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


def first_id_at(moment: datetime) -> int:
    """The smallest id of this time; every older id is smaller."""
    return (to_ms(moment) - EPOCH_MS) << RANDOM_BITS


def ms_of(of_id: int) -> int:
    """The time of an id, in Unix milliseconds."""
    return (of_id >> RANDOM_BITS) + EPOCH_MS


def time_of(of_id: int) -> datetime:
    """The time of an id."""
    return from_ms(ms_of(of_id))


def from_ms(ms: int) -> datetime:
    """The time of a graph property in Unix milliseconds; exact."""
    return _UNIX_EPOCH + timedelta(milliseconds=ms)


def to_ms(moment: datetime) -> int:
    """A time as the graph stores it: whole Unix milliseconds, rounded down."""
    return (moment - _UNIX_EPOCH) // timedelta(milliseconds=1)
