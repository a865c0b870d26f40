"""Finishes follows: the followers' timelines and the followees' notifications.

The request does the same before its response. The event repeats it, as the request may have died.
"""

from collections.abc import Sequence

from graph import Graph
from graph.events import Event
from storage import Storage
from storage.timelines import DropForFollow
from workers.batch_result import BatchResult
from workers.notices.activity import update_notifications


def finish_follow(graph: Graph, storage: Storage, event: Event) -> None:
    """Finish one follow."""
    finish_follows(graph, storage, [event])


def finish_follows(graph: Graph, storage: Storage, events: Sequence[Event]) -> BatchResult:
    """Drop the followers' timelines, so that they are rebuilt with the followees' posts.

    Unless their requests have dropped them: the list that is there now may be a new one. Then
    update what depends on the followees' notifications. Three reads of the graph and as many round
    trips to the cache, for any number of follows. All of them are done.
    """
    pairs = dict.fromkeys((event.subject_id, event.author_id) for event in events)
    # A follow that has ended is left out: its end drops the list too
    follows = [DropForFollow(*pair, at) for pair, at in graph.follows.followed_at_ms(pairs).items()]
    dropped = storage.timelines.dropped_for(follows)
    storage.timelines.drop_for(*(follow for follow in follows if follow not in dropped))
    update_notifications(graph, storage, {event.author_id for event in events})
    return BatchResult(done=list(events))
