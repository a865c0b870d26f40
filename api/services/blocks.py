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
    block = graph.blocks.create(blocker_id=blocker_id, blocked_id=blocked_id)
    # On a repeat too: the first try may have failed here. No list of a leaver is built until the
    # LEFT has ended, so the repeat costs them none.
    storage.timelines.drop(*block.leaver_ids)


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
