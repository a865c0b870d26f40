"""Read positions: how far a user has read their feed."""

from graph import Graph
from storage import Storage


def move(graph: Graph, storage: Storage, *, user_id: int, post_id: int) -> None:
    """Move the position forward, never back; repeating it is safe.

    Raises GraphUnavailableError, StorageUnavailableError.
    """
    graph.read_positions.set(user_id, post_id)
    storage.read_positions.drop(user_id)
