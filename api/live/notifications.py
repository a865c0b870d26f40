"""What a stream needs to know of notifications and the cache does not have. All of it blocks."""

from collections.abc import Sequence

from feed.unread import UnreadCount
from graph import Graph
from storage import Storage


def load_newest(graph: Graph, storage: Storage, user_ids: Sequence[int]) -> None:
    """Write the newest notification of each user to the cache, 0 for none.

    Raises GraphUnavailableError, StorageUnavailableError.
    """
    storage.newest_notifications.raise_to(_newest_ids(graph, user_ids))


def count_unread(graph: Graph, user_id: int) -> UnreadCount | None:
    """The user's unread notifications; None if they cannot be counted."""
    del graph, user_id
    return None  # until the graph has notifications: graph.notifications.count_unread(user_id)


def _newest_ids(graph: Graph, user_ids: Sequence[int]) -> dict[int, int]:
    del graph  # until it has notifications: graph.notifications.newest_ids(user_ids)
    return dict.fromkeys(user_ids, 0)
