"""When to try a push message again. Pure: the time and the random number are arguments."""

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_TRIES = 5

FIRST_PAUSE_SECONDS = 15.0
"""The pause after the first try; each further one is three times as long."""
PAUSE_FACTOR = 3

SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 3_600.0
"""Bounds of what a push service may ask for in Retry-After."""

LONGEST_TEXT = 64
"""Characters of a Retry-After that is read."""


def pause_seconds(tries: int, *, retry_after: float | None, random: float) -> float:
    """The pause after so many tries, at least `retry_after`; `random` is from 0 to 1.

    Half of the own pause, and up to a half more than Retry-After, is random: a service that comes
    back is not asked by all at once.
    """
    own = FIRST_PAUSE_SECONDS * float(PAUSE_FACTOR ** max(0, min(tries, MAX_TRIES) - 1))
    return max(own * (0.5 + random), (retry_after or 0.0) * (1 + random / 2))


def read_retry_after(text: str | None, *, now: float) -> float | None:
    """The seconds of a Retry-After header, bounded; None if there is none that can be read."""
    if not text or len(text) > LONGEST_TEXT:
        return None
    seconds = _seconds(text.strip(), now)
    return None if seconds is None else min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)


def _seconds(text: str, now: float) -> float | None:
    """Seconds from a number, or until a date."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = moment.timestamp() - now
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return seconds if math.isfinite(seconds) else None
