"""Work after a fact that notifies a user; every event of such a fact does it."""

from collections.abc import Collection

from graph import Graph
from storage import Storage


def update_notifications(graph: Graph, storage: Storage, user_ids: Collection[int]) -> None:
    """Raise the number of each user's newest notification, then delete those beyond the bound.

    It reads the graph, so it can be repeated. What one call leaves, the next event deletes.
    """
    storage.newest_notifications.raise_to(graph.notifications.newest_ids(list(user_ids)))
    for user_id in graph.notifications.crowded(user_ids):
        graph.notifications.trim(user_id)
