"""Events for operators: listed, requeued, and read for the commands and the admin app."""

from collections.abc import Iterator
from typing import get_args

from graph import Graph
from graph.event_kinds import KINDS
from graph.events import Event, EventStatus, State
from observing import security_events
from storage import Storage

STATES: tuple[State, ...] = get_args(State)
"""The states of an event, the most urgent first."""

REQUEUE_PAGE = 200
"""Events read at once when all of them are requeued."""

UNKNOWN_KIND = "unknown: an event of a newer version, which does its work"
"""The owed work of a kind that is not in KINDS."""


def list_events(
    graph: Graph, *, state: State | None, kind: str | None, limit: int
) -> list[EventStatus]:
    """At most `limit` events of a state and a kind, or of all, the most urgent first."""
    kinds = [kind] if kind else []
    events: list[EventStatus] = []
    for listed_state in [state] if state else STATES:
        if room := limit - len(events):
            events += graph.events.by_state(listed_state, room, kinds=kinds)
    return events


def requeue(graph: Graph, storage: Storage, event_id: int) -> Event | None:
    """Make a quarantined event due and wake its worker; None if it is not in quarantine."""
    event = graph.events.requeue(event_id)
    if event is None:
        return None
    security_events.record("event-requeued", event_id=event_id, kind=event.kind)
    if event.kind in KINDS:
        storage.queues.wake(event)
    return event


def requeue_all(graph: Graph, storage: Storage, kind: str | None) -> Iterator[Event]:
    """Requeue all quarantined events, or those of one kind; yields each one that is requeued.

    It goes by rising ids, so an event that returns to quarantine meanwhile is not requeued again.
    """
    after = 0
    while page := graph.events.quarantine_page(
        REQUEUE_PAGE, kinds=[kind] if kind else [], after=after
    ):
        for event in page:
            if requeued := requeue(graph, storage, event.id):
                yield requeued
        after = page[-1].id
