"""Post ids of given ages."""

import time

from graph.ids import EPOCH_MS, RANDOM_BITS

NEWEST = 2**53
"""Above every id."""
SECOND = 1_000 << RANDOM_BITS
"""One second as a distance between ids."""


def id_ago(seconds: float, bits: int = 0) -> int:
    """The id of a post created `seconds` ago; `bits` is the id's random part."""
    ms = int((time.time() - seconds) * 1_000) - EPOCH_MS
    return (ms << RANDOM_BITS) + bits
