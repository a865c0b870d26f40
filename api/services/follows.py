"""Beginning and ending a follow. The graph first, then the follower's timeline, then the 2xx."""

from api.services.best_effort import drop_timeline
from api.services.errors import CannotFollowYourselfError
from graph import Graph
from storage import Storage


def follow(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    """Begin a follow; the same again changes nothing.

    The timeline is dropped so that the next read has the followee's posts. That fails open: the
    event drops it again. Raises CannotFollowYourselfError, NotFoundError.
    """
    if follower_id == followee_id:
        raise CannotFollowYourselfError
    event = graph.follows.create(follower_id=follower_id, followee_id=followee_id)
    drop_timeline(storage, follower_id)  # on a repeat too: the first try may have died here
    storage.queues.wake(event)


def unfollow(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    """End a follow; the same again changes nothing.

    Once this returns no page shows the followee. Raises StorageUnavailableError where that cannot
    be promised yet, and NotFoundError for a followee who is hidden and was not followed.
    """
    event = graph.follows.delete(follower_id=follower_id, followee_id=followee_id)
    storage.timelines.drop(follower_id)  # on a repeat too: the first try may have died here
    storage.queues.wake(event)
    if event is None:
        graph.users.require_visible(followee_id, viewer_id=follower_id)


def remove_follower(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    """End somebody's follow of the followee; whoever does not follow them is no error.

    The dropped timeline is the follower's. Raises StorageUnavailableError as `unfollow`.
    """
    event = graph.follows.delete(follower_id=follower_id, followee_id=followee_id)
    if event:  # else nobody has followed or is leaving: strangers' timelines are not to be dropped
        storage.timelines.drop(follower_id)
    storage.queues.wake(event)
