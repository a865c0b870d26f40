"""How a timeline lies in Redis: its key, its sentinel, how far out of order it may be, its life.

A list's first entry is a sentinel -W, never above 0: the list is complete above the id W (0: to the
beginning; ABOVE_NOTHING: it is being built).
"""

from graph.ids import MAX_ID, RANDOM_BITS

ABOVE_NOTHING = MAX_ID
"""The W of a list being built; -W is the sentinel."""
DISORDER_SECONDS = 60
"""T: an entry stands at most so far from its place."""
DISORDER = DISORDER_SECONDS * 1_000 << RANDOM_BITS
"""T as a distance between ids."""
TIMELINE_TTL_SECONDS = 30 * 86_400
"""A list not read for so long goes; the graph answers whoever comes back."""
TIMELINE_KEY = b"tl:%014x"
"""Of fixed width, so that commands can be packed by formatting alone."""


def timeline_key(user_id: int) -> bytes:
    """Where the user's timeline is."""
    return TIMELINE_KEY % user_id


def lock_key(user_id: int) -> bytes:
    """Where the lock of a build of that timeline is."""
    return b"tb:%014x" % user_id
