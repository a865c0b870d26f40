"""Pauses after outages: a worker whose store is away claims no work that it cannot do."""

import time

LONGEST_PAUSE_SECONDS = 16.0
"""Pauses double from one second to this."""


class Outages:
    """By queue, how often in a row a store was away, and until when the queue is left alone."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def note(self, queue: str) -> None:
        """Count an outage: the queue is paused for 1, 2, 4, 8, then 16 seconds."""
        count = self._counts.get(queue, 0)
        self._counts[queue] = count + 1
        pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(count, 10))
        self._until[queue] = time.monotonic() + pause

    def forget(self, queue: str) -> None:
        """End the queue's pause: its work succeeds."""
        self._counts.pop(queue, None)
        self._until.pop(queue, None)

    def is_paused(self, queue: str) -> bool:
        """Whether the queue is to be left alone."""
        return time.monotonic() < self._until.get(queue, 0.0)
