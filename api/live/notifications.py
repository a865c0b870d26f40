"""What a stream needs to know of notifications and the cache does not have. All of it blocks."""

from collections.abc import Sequence

from feed.unread import UnreadCount
from graph import Graph
from storage import Storage


def load_newest(graph: Graph, storage: Storage, user_ids: Sequence[int]) -> None:
    """Write the newest notification of each user to the cache, 0 for none.

    Raises GraphUnavailableError, StorageUnavailableError.
    """
    storage.newest_notifications.raise_to(graph.notifications.newest_ids(user_ids))


def count_unread(graph: Graph, user_id: int) -> UnreadCount:
    """The user's unread notifications. Raises GraphUnavailableError."""
    unread = graph.notifications.unread(user_id)
    return UnreadCount(count=unread.count, capped=unread.capped, newest_id=unread.newest_id)
