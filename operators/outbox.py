"""What operators do with events: list them, free them from quarantine, put them there."""

from collections.abc import Iterator
from typing import get_args

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import Event, Standing, State
from storage import Storage

STATES: tuple[State, ...] = get_args(State)
"""Those an event can be in, the most pressing first."""

REQUEUE_PAGE = 200
"""Events looked up at once when all of them are requeued."""

UNKNOWN = "nothing that this version knows; a newer one made it, and will take it up"
"""What is owed for a kind that is not among them."""


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
    if event is not None and event.kind in KINDS:
        storage.queues.wake(event)
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
