"""Blocking: neither sees the other, and both follows end."""

from api.services.errors import CannotBlockYourselfError
from graph import Graph
from graph.errors import NotFoundError
from storage import Storage


def block(graph: Graph, storage: Storage, *, blocker_id: int, blocked_id: int) -> None:
    """Block somebody; the same again changes nothing.

    Once this returns neither is shown anything of the other. Raises CannotBlockYourselfError,
    NotFoundError, and StorageUnavailableError where that cannot be promised yet.
    """
    if blocker_id == blocked_id:
        raise CannotBlockYourselfError
    _require_blockable(graph, blocker_id, blocked_id)
    event = graph.blocks.create(blocker_id=blocker_id, blocked_id=blocked_id)
    # While a follow is being left each repeat has an event, and drops again; where none was cut
    # the other's timeline needs no drop, and anybody could have it dropped all day.
    storage.timelines.drop(*((blocker_id, blocked_id) if event else (blocker_id,)))
    storage.queues.wake(event)


def _require_blockable(graph: Graph, blocker_id: int, blocked_id: int) -> None:
    """Raises NotFoundError for who is absent, or hidden by a block of their own: alike for both."""
    try:
        graph.users.require_visible(blocked_id, viewer_id=blocker_id)
    except NotFoundError:
        users, _ = graph.blocks.list(blocker_id, before=blocked_id + 1, limit=1)
        if [user.id for user in users] != [blocked_id]:
            raise
