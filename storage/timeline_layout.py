"""The layout of a timeline in Redis: its keys, its sentinel, its disorder, its TTL.

A timeline is a list of post ids, newest at the tail. Its first entry may be a sentinel -W, which is
never above 0. W is the watermark: the list is complete above the id W. 0 means complete from the
beginning, ABOVE_NOTHING means unfinished.
"""

from graph.ids import MAX_ID, RANDOM_BITS

ABOVE_NOTHING = MAX_ID
"""The watermark of an unfinished list."""
DISORDER_SECONDS = 60
"""T: how far an entry may be from its place by id."""
DISORDER = DISORDER_SECONDS * 1_000 << RANDOM_BITS
"""T as a distance between ids."""
TIMELINE_TTL_SECONDS = 30 * 86_400
"""How long a list exists after its last read. Without it the graph serves the feed."""
TIMELINE_KEY = b"tl:%014x"
"""Of fixed width, so that commands can be packed by formatting alone."""


def timeline_key(user_id: int) -> bytes:
    """The key of the user's timeline."""
    return TIMELINE_KEY % user_id


def lock_key(user_id: int) -> bytes:
    """The key of the build lock of the user's timeline."""
    return b"tb:%014x" % user_id
