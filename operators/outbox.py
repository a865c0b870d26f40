"""What operators do with events: list them, free them from quarantine, put them there."""

from collections.abc import Iterator
from typing import get_args

from graph import Graph
from graph.events import Event, Standing, State
from storage import Storage
from storage.queues import QUEUE_OF_KIND

STATES: tuple[State, ...] = get_args(State)
"""Those an event can be in, the most pressing first."""

REQUEUE_PAGE = 200
"""Events looked up at once when all of them are requeued."""

OWES = {
    "photo-uploaded": "examine the photo, make its renditions",
    "post-published": "put the post's body into the cache, and its id into timelines",
    "post-published-widely": "the same as post-published, for very many followers",
    "post-deleted": "remove the deleted post's objects",
    "profile-changed": "discard bodies that show the old profile",
    "followed": "drop the follower's timeline, so that it is built with the new followee",
    "left": "drop the follower's timeline once more, and end the leaving",
    "blocked": "drop both people's timelines once more, and end the leavings",
}
"""What is still to be done for an event of each kind."""

UNKNOWN = "nothing that this version knows; a newer one made it, and will take it up"
"""What is owed for a kind that is not among them."""

PARTIES = {
    "photo-uploaded": ("photo", "owner"),
    "post-published": ("post", "author"),
    "post-published-widely": ("post", "author"),
    "post-deleted": ("post", "author"),
    "profile-changed": ("user", "user"),
    "followed": ("follower", "followee"),
    "left": ("follower", "followee"),
    "blocked": ("blocker", "blocked"),
}
"""What an event's subject and author are, by kind."""


def owed(graph: Graph, *, state: State | None, kind: str | None, limit: int) -> list[Standing]:
    """Events in one state, or in each, the most pressing first."""
    kinds = [kind] if kind else []
    found: list[Standing] = []
    for one in [state] if state else STATES:
        if room := limit - len(found):
            found += graph.events.listed(one, room, kinds=kinds)
    return found


def requeue(graph: Graph, storage: Storage, event_id: int) -> Event | None:
    """Make a quarantined event due and ring for it; None if it is not in quarantine."""
    event = graph.events.requeue(event_id)
    if event is not None and event.kind in QUEUE_OF_KIND:
        storage.queues.ring(event, None)  # fails open: the sweeper rings again
    return event


def requeue_all(graph: Graph, storage: Storage, kind: str | None) -> Iterator[Event]:
    """Do so for everything in quarantine, or all of one kind; each as it is done.

    Goes by ids: what comes back into quarantine meanwhile is not met again.
    """
    after = 0
    while page := graph.events.quarantined(REQUEUE_PAGE, kinds=[kind] if kind else [], after=after):
        for event in page:
            if done := requeue(graph, storage, event.id):
                yield done
        after = page[-1].id
