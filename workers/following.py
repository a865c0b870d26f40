"""Finishes a follow: the follower's timeline and the followee's notifications.

The request does the same before its response. The event repeats it, as the request may have died.
"""

from graph import Graph
from graph.events import Event
from storage import Storage
from storage.timelines import DropForFollow
from workers.notices.activity import update_notifications


def finish_follow(graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the new follower's timeline, so that it is rebuilt with the followee's posts.

    Unless the request has dropped it: the list that is there now may be a new one. Then update what
    depends on the followee's notifications.
    """
    _drop_once(graph, storage, follower_id=event.subject_id, followee_id=event.author_id)
    update_notifications(graph, storage, event.author_id)


def _drop_once(graph: Graph, storage: Storage, *, follower_id: int, followee_id: int) -> None:
    followed_at_ms = graph.follows.followed_at_ms(follower_id=follower_id, followee_id=followee_id)
    if followed_at_ms is None:  # the follow has ended, which drops the list too
        return
    follow = DropForFollow(follower_id, followee_id, followed_at_ms)
    if not storage.timelines.was_dropped_for(follow):
        storage.timelines.drop_for(follow)
