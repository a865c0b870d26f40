"""Drops timelines after a leaving or a block.

The request drops them too, before its response. The event drops them again, as the request may have
died. Without a list the graph answers, and the next read schedules a rebuild.
"""

from collections.abc import Sequence

from graph import Graph
from graph.events import Event
from storage import Storage
from workers.batch_result import BatchResult


def drop_after_leaving(graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the former follower's timeline, then end the leaving, so that it can be rebuilt.

    The event is due when no page of followers that was read before the leaving can be pushed any
    more. If a new follow was ended meanwhile, the LEFT is too young to be ended here, and
    the newer event ends it.
    """
    drop_after_leavings(graph, storage, [event])


def drop_after_leavings(graph: Graph, storage: Storage, events: Sequence[Event]) -> BatchResult:
    """The same for any number of leavings, in two round trips; all of them are done."""
    pairs = sorted({(event.subject_id, event.author_id) for event in events})  # order of locks
    storage.timelines.drop(*(follower_id for follower_id, _ in pairs))
    graph.follows.delete_left(pairs=pairs)
    return BatchResult(done=list(events))


def drop_after_block(graph: Graph, storage: Storage, event: Event) -> None:
    """The same for those users of a block who followed the other.

    A LEFT that is gone was ended by another event, which has dropped the list before.
    """
    blocker, blocked = event.subject_id, event.author_id
    pairs = sorted([(blocker, blocked), (blocked, blocker)])  # the order of locks
    storage.timelines.drop(*(follower for follower, _ in graph.follows.left_pairs(pairs)))
    graph.follows.delete_left(pairs=pairs)
