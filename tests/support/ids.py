"""Post ids of chosen moments."""

import time

from graph.ids import EPOCH_MS

SECOND = 1_000 << 12
"""A second as a distance between ids."""


def id_ago(seconds: float, bits: int = 0) -> int:
    """The id of a post of so many seconds ago."""
    ms = int((time.time() - seconds) * 1_000) - EPOCH_MS
    return (ms << 12) + bits
