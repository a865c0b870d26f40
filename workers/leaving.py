"""What is owed to a timeline after somebody has followed, left or blocked.

The request dropped it already, before its answer; the event drops it again, whatever became of
the request. Without a list the graph answers, and the next read has it built anew.
"""

from graph import Graph
from graph.events import Event
from storage import Storage


def followed(_graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the new follower's timeline: it is built anew with the followee's posts."""
    storage.timelines.drop(event.subject_id)


def left(graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the former follower's timeline, then let it be built again.

    The event comes when no page of followers read before can be pushed any more. A leaving
    repeated since has put that off: its LEFT is too young, and its own event will do it.
    """
    storage.timelines.drop(event.subject_id)
    graph.follows.finish_leaving(pairs=[(event.subject_id, event.author_id)])


def blocked(graph: Graph, storage: Storage, event: Event) -> None:
    """The same for both sides of a block."""
    one, other = event.subject_id, event.author_id
    storage.timelines.drop(one, other)
    graph.follows.finish_leaving(pairs=[(one, other), (other, one)])
