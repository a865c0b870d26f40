"""Moves the clock of one process of the drill by the offset in the file DRILL_CLOCK.

The drill puts this folder on the PYTHONPATH of the processes it starts, so the product needs no
hook. It moves `time.time`, `time.time_ns` and `datetime`, not the clock that C code reads.
"""

import datetime as dt
import os
import time
from datetime import tzinfo
from typing import Self

CACHE_SECONDS = 0.05
"""How long the offset is reused: code that reads the clock in a loop must not read a file each
time."""

_file = os.environ.get("DRILL_CLOCK")
_real_time, _real_time_ns, _monotonic = time.time, time.time_ns, time.monotonic
_real_datetime = dt.datetime
_cached_offset: tuple[float, float] = (0.0, 0.0)
"""The monotonic time until which it is valid, and the offset in seconds."""


def offset() -> float:
    """The offset of this process's clock now, in seconds; 0 without a file."""
    global _cached_offset  # noqa: PLW0603 - a process has one clock
    until, seconds = _cached_offset
    now = _monotonic()
    if now >= until:
        try:
            with open(_file or "") as file:  # noqa: PTH123 - pathlib may not be imported yet
                seconds = float(file.read())
        except (OSError, ValueError):
            seconds = 0.0
        _cached_offset = now + CACHE_SECONDS, seconds
    return seconds


def _time() -> float:
    return _real_time() + offset()


def _time_ns() -> int:
    return _real_time_ns() + int(offset() * 1e9)


class _MovedDatetime(_real_datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> Self:
        return cls.fromtimestamp(_time(), dt.UTC).replace(tzinfo=None)


if _file:
    time.time, time.time_ns = _time, _time_ns
    dt.datetime = _MovedDatetime  # type: ignore[misc]
