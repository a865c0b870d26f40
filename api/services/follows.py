"""Follows: committed to the graph, then the follower's timeline is dropped, then the response."""

from api.services.best_effort import drop_timeline_for_follow, raise_newest_notification
from api.services.errors import CannotFollowYourselfError
from graph import Graph
from storage import Storage


def follow(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    """Create a follow; repeating it is safe.

    The follower's timeline is dropped, once: the next page, read from the graph, has the followee's
    posts. The number of the followee's newest notification is raised. Both fail open, as the event
    repeats them. Raises CannotFollowYourselfError, NotFoundError, FollowLimitReachedError.
    """
    if follower_id == followee_id:
        raise CannotFollowYourselfError
    follow = graph.follows.create(follower_id=follower_id, followee_id=followee_id)
    drop_timeline_for_follow(storage, follower_id, followee_id, follow)
    if follow.notification_id is not None:
        raise_newest_notification(storage, followee_id, follow.notification_id)
    storage.queues.wake(follow.event)


def unfollow(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    """End a follow; repeating it is safe.

    Requests that begin after the return show no post of the followee. Raises
    StorageUnavailableError if the timeline could not be dropped: the same request again completes
    the unfollow. Raises NotFoundError for a followee who is hidden and was not followed.
    """
    ended = graph.follows.delete(follower_id=follower_id, followee_id=followee_id)
    if ended is None:
        graph.users.require_visible(followee_id, viewer_id=follower_id)
    else:
        _drop_list(storage, follower_id)


def remove_follower(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    """End another user's follow of the followee; no error if they do not follow.

    Raises StorageUnavailableError like `unfollow`.
    """
    ended = graph.follows.delete(follower_id=follower_id, followee_id=followee_id)
    if ended is not None:
        _drop_list(storage, follower_id)


def _drop_list(storage: Storage, follower_id: int) -> None:
    """Drop the former follower's timeline. Its event is due in 30 s: then the sweeper rings for it.

    On a repeat too, as the first try may have failed here. While the follow exists as LEFT no list
    of the follower is built, so a repeat drops what the first try has left, and nothing else. After
    that the event has dropped the list, and a repeat drops nothing: nobody can keep another user
    without a timeline.
    """
    storage.timelines.drop(follower_id)
