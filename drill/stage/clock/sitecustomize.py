"""Moves the clock of one process of the drill: Python imports this at the process's start.

It stands in a folder of its own, which the drill puts on the PYTHONPATH of what it starts. So a
clock goes wrong without a hook in the product. What reads the clock in C code is not moved.
"""

import datetime as dt
import os
import time
from datetime import tzinfo
from typing import Self

LOOK_SECONDS = 0.05
"""How long the offset is believed: what is measured in a loop must not read a file each time."""

_file = os.environ.get("DRILL_CLOCK")
_real_time, _real_time_ns, _monotonic = time.time, time.time_ns, time.monotonic
_real = dt.datetime
_believed: tuple[float, float] = (0.0, 0.0)


def offset() -> float:
    """By how many seconds this process's clock is wrong now."""
    global _believed  # noqa: PLW0603 - a process has one clock
    until, seconds = _believed
    now = _monotonic()
    if now >= until:
        try:
            with open(_file or "") as file:  # noqa: PTH123 - pathlib may not be imported yet
                seconds = float(file.read())
        except (OSError, ValueError):
            seconds = 0.0
        _believed = now + LOOK_SECONDS, seconds
    return seconds


def _time() -> float:
    return _real_time() + offset()


def _time_ns() -> int:
    return _real_time_ns() + int(offset() * 1e9)


class _Moved(_real):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> Self:
        return cls.fromtimestamp(_time(), dt.UTC).replace(tzinfo=None)


if _file:
    time.time, time.time_ns = _time, _time_ns
    dt.datetime = _Moved  # type: ignore[misc]
