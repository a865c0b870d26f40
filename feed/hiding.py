"""Hides users and posts from all pages, and shows them again: the copies of what has changed.

The graph has changed before. The ids stay in timelines: a body that is absent hides a post, and one
that is found again shows it at its place (docs/decisions/0024).
"""

from collections.abc import Sequence

from feed.bodies import discard_bodies_of
from graph import Graph
from storage import Storage, changes


def hide_user(graph: Graph, storage: Storage, user_id: int, session_ids: Sequence[int]) -> None:
    """Discard the bodies of the user's newest posts, then the copies of the ended sessions.

    An event does the same for older ones. The sessions' copies go last: who repeats a request is
    signed in as long as something may be left to do. Raises StorageUnavailableError,
    GraphUnavailableError.
    """
    refresh_user(graph, storage, user_id)
    storage.sessions.drop(user_id, session_ids)
    storage.changes.announce([changes.user(user_id)])


def refresh_user(graph: Graph, storage: Storage, user_id: int) -> None:
    """Discard the bodies or tombstones of the user's newest posts everywhere. Raises as above."""
    discard_bodies_of(graph, storage, user_id)
    storage.changes.announce([changes.author(user_id)])


def refresh_post(storage: Storage, post_id: int) -> None:
    """Discard the post's body or tombstone everywhere: the next reader asks the graph.

    Raises StorageUnavailableError.
    """
    storage.bodies.discard([post_id])
    storage.changes.announce([changes.post(post_id)])
