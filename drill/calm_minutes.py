"""Calm minutes: the spans of a drill in which nothing empties the cache and no follow changes.

Timelines last in them, so most pages come from windows and copies, as in the running product.
"""

from collections.abc import Iterable

PERIOD_SECONDS = 120.0
"""From the start of one calm minute to the next. In a shorter drill it is the whole drill."""

Span = tuple[float, float]


def calm_minutes(seconds: float) -> list[Span]:
    """The calm half of each period of a drill of this length, in seconds since its start."""
    count = max(1, round(seconds / PERIOD_SECONDS))
    period = seconds / count
    return [((number + 0.5) * period, (number + 1) * period) for number in range(count)]


def is_calm(spans: Iterable[Span], start: float, end: float) -> bool:
    """Whether one of the spans has a part of the time from `start` to `end`."""
    return any(begin < end and start < until for begin, until in spans)
