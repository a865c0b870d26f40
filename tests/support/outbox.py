"""The work of one given event, as a drain does it among others of its shard."""

from bench.peers.job_per_event import claim
from graph import Graph
from graph.events import Event, Released
from storage import Storage
from workers.outbox import work

__all__ = ["claim", "finish", "release", "run"]


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
