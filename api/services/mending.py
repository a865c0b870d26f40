"""What a write does to the cache after its commit, where its event does the same again.

These fail open: the fact stands, so the client is told so, whatever the cache says.
"""

from graph import Graph
from storage import Storage
from storage.failing import failing_open
from workers.removal import discard_bodies_of


def _unread(_storage: Storage, _user_id: int) -> None:
    return


def _undiscarded(_graph: Graph, _storage: Storage, _author_id: int) -> None:
    return


@failing_open("drop timeline", _unread)
def drop_timeline(storage: Storage, user_id: int) -> None:
    """Have the user's next page come from the graph."""
    storage.timelines.drop(user_id)


@failing_open("discard bodies", _undiscarded)
def discard_bodies(graph: Graph, storage: Storage, author_id: int) -> None:
    """Have the author's posts rendered anew, with their new name."""
    discard_bodies_of(graph, storage, author_id)
