"""The work of one given event, as a drain does it among others of its shard."""

from graph import Graph
from graph.events import LEASE_MS, Event, Released
from graph.queries import Query
from storage import Storage
from workers.outbox import work

CLAIM_ONE = Query(
    name="tests/claim_one",
    summary="claims one event if it is due and has this epoch.",
    text=(
        "MATCH (event:Event) WHERE event.id = $event_id SET event.locked = true"
        " REMOVE event.locked WITH event WHERE event.epoch = $epoch"
        " AND event.due_at <= timestamp() SET event.epoch = event.epoch + 1,"
        " event.attempts = event.attempts + 1, event.tried = true,"
        " event.due_at = timestamp() + $lease_ms RETURN event {.id, .kind, .shard, .subject_id,"
        " .author_id, .epoch, .cursor, .attempts, .request_id} AS event"
    ),
    parameters={},
    returns=("event",),
    index=(),
    sorts="",
    expands="",
)


def claim(graph: Graph, event_id: int, epoch: int) -> Event | None:
    """The event with a new epoch and a lease; None if it is not due or has another epoch."""
    rows = graph.connection.write(CLAIM_ONE, event_id=event_id, epoch=epoch, lease_ms=LEASE_MS)
    return Event(**rows[0]["event"]) if rows else None


def run(graph: Graph, storage: Storage, event_id: int, epoch: int) -> str:
    """Claim the event and do its work; its outcome, `stale` if it could not be claimed."""
    event = claim(graph, event_id, epoch)
    return work(graph, storage, [event])[event.id] if event else "stale"


def finish(graph: Graph, event_id: int, epoch: int) -> bool:
    """Finish the event for a claim; False if fenced."""
    return bool(graph.events.finish([_claimed(event_id, epoch)]))


def release(graph: Graph, event_id: int, epoch: int, *, delay_seconds: float) -> Released | None:
    """Release the event for a claim; None if fenced."""
    released = graph.events.release([_claimed(event_id, epoch)], delay_seconds=delay_seconds)
    return released.get(event_id)


def _claimed(event_id: int, epoch: int) -> Event:
    return Event(
        id=event_id,
        kind="followed",
        shard=0,
        subject_id=0,
        author_id=0,
        epoch=epoch,
        cursor=0,
        attempts=1,
    )
