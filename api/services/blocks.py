"""Blocks: neither user sees the other, and the follows between them end."""

from api.services.errors import CannotBlockYourselfError
from graph import Graph
from graph.errors import NotFoundError
from storage import Storage


def block(graph: Graph, storage: Storage, *, blocker_id: int, blocked_id: int) -> None:
    """Block a user; repeating it is safe.

    Requests that begin after the return show neither user anything of the other. Raises
    CannotBlockYourselfError, NotFoundError, and StorageUnavailableError if a timeline could not be
    dropped: the same request again completes the block.
    """
    if blocker_id == blocked_id:
        raise CannotBlockYourselfError
    _require_blockable(graph, blocker_id, blocked_id)
    event = graph.blocks.create(blocker_id=blocker_id, blocked_id=blocked_id)
    # There is an event while a follow between the two is being removed, also on repeats. Without an
    # event only the blocker's timeline is dropped: users must not drop each other's timelines.
    storage.timelines.drop(*((blocker_id, blocked_id) if event else (blocker_id,)))
    storage.queues.wake(event)


def _require_blockable(graph: Graph, blocker_id: int, blocked_id: int) -> None:
    """Raises NotFoundError for a user who does not exist or who has blocked the blocker.

    A user whom the blocker has blocked before is hidden too, but can be blocked again.
    """
    try:
        graph.users.require_visible(blocked_id, viewer_id=blocker_id)
    except NotFoundError:
        users, _ = graph.blocks.list(blocker_id, before=blocked_id + 1, limit=1)
        if [user.id for user in users] != [blocked_id]:
            raise
