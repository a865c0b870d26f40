"""Drops timelines after a leaving or a block.

The request drops them too, before its response. The event drops them again, as the request may have
died. Without a list the graph answers, and the next read schedules a rebuild.
"""

from graph import Graph
from graph.events import Event
from storage import Storage


def drop_after_leaving(graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the former follower's timeline, then end the leaving, so that it can be rebuilt.

    The event is due when no page of followers that was read before the leaving can be pushed any
    more. If the leaving was repeated meanwhile, its LEFT is too young to be ended here, and the
    newer event ends it.
    """
    storage.timelines.drop(event.subject_id)
    graph.follows.delete_left(pairs=[(event.subject_id, event.author_id)])


def drop_after_block(graph: Graph, storage: Storage, event: Event) -> None:
    """The same for both users of a block."""
    blocker, blocked = event.subject_id, event.author_id
    storage.timelines.drop(blocker, blocked)
    graph.follows.delete_left(pairs=[(blocker, blocked), (blocked, blocker)])
