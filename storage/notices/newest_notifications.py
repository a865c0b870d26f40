"""The newest notification of a user (`nt:` and the user's id): its id, which only rises.

Streams and the notifier compare it with the id that they know. A number that is missing is read
from the graph, and written by the same script. So concurrent writers end with the highest id.
"""

from collections.abc import Mapping

from storage.redis.partitions import key_of
from storage.redis.protocol import pack
from storage.redis.scripts import Script
from storage.redis.server import Server

TTL_SECONDS = 30 * 86_400
"""As for a timeline. Without the number the graph is asked."""

RAISE = Script("raise")


def pack_newest(user_id: int) -> bytes:
    """The packed command whose reply is the id, 0 for none yet, or None if it is not known."""
    return pack(b"GET", key_of(b"nt", user_id))


def pack_raise(user_id: int, notification_id: int) -> bytes:
    """The packed call that raises the user's number."""
    return RAISE.pack_call([key_of(b"nt", user_id)], [notification_id, TTL_SECONDS])


class NewestNotifications:
    """The numbers in the cache. Every method raises StorageUnavailableError."""

    def __init__(self, cache: Server) -> None:
        self._cache = cache

    def raise_to(self, ids_by_user: Mapping[int, int]) -> None:
        """Raise the number of each user. To be called after the notification is in the graph."""
        if ids_by_user:
            self._cache.execute([pack_raise(u, i) for u, i in ids_by_user.items()], RAISE)
