"""The layout of a timeline in Redis: its keys, its sentinel, its disorder, its TTL.

A timeline is a list of post ids, newest at the tail. Its first entry may be a sentinel -W, which is
never above 0. W is the watermark: the list is complete above the id W. 0 means complete from the
beginning, ABOVE_NOTHING means unfinished.
"""

from graph.ids import MAX_ID, RANDOM_BITS
from storage.redis.partitions import COUNT, TAG_BYTES, key_of

ABOVE_NOTHING = MAX_ID
"""The watermark of an unfinished list."""
DISORDER_SECONDS = 60
"""T: how far an entry may be from its place by id."""
DISORDER = DISORDER_SECONDS * 1_000 << RANDOM_BITS
"""T as a distance between ids."""
TIMELINE_TTL_SECONDS = 30 * 86_400
"""How long a list exists after its last read. Without it the graph serves the feed."""
TIMELINE_KEYS = tuple(b"tl:{%b}%%014x" % tag for tag in TAG_BYTES)
"""The timelines' keys of each partition, to be formatted with a user's id."""


def timeline_key(user_id: int) -> bytes:
    """The key of the user's timeline."""
    return TIMELINE_KEYS[user_id % COUNT] % user_id


def lock_key(user_id: int) -> bytes:
    """The key of the build lock of the user's timeline."""
    return key_of(b"tb", user_id)


def follow_key(follower_id: int, followee_id: int) -> bytes:
    """The key of the mark that the follower's timeline was dropped for this follow."""
    return b"%b:%014x" % (key_of(b"tf", follower_id), followee_id)


def postponed_key(user_id: int) -> bytes:
    """The key of the number of builds of the user's timeline that ran out of time."""
    return key_of(b"tw", user_id)
