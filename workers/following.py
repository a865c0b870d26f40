"""Finishes a follow: the follower's timeline and the followee's notifications.

The request does the same before its response. The event repeats it, as the request may have died.
"""

from graph import Graph
from graph.events import Event
from storage import Storage
from workers.notices.activity import update_notifications


def finish_follow(graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the new follower's timeline, so that it is rebuilt with the followee's posts.

    Then update what depends on the followee's notifications.
    """
    storage.timelines.drop(event.subject_id)
    update_notifications(graph, storage, event.author_id)
