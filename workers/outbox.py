"""What a worker does when it is rung: claim the event, do what its kind owes, finish it.

The graph is the queue of record. A job that dies anywhere leaves its event, and the sweeper rings
again when the lease is over; a job rung twice, or late, finds the epoch gone on and does nothing.
"""

import time

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import Event
from observing import metrics
from storage import Storage
from storage.errors import StorageRefusedError, StorageUnavailableError
from workers.errors import FencedError, UnfinishedError
from workers.handlers import HANDLERS

log = structlog.get_logger()

OUTAGE_DELAY_SECONDS = 5
"""After a store was away: when the event may be claimed again (the sweeper rings for it)."""


RELEASE_SECONDS = 20.0
"""How long a worker tries to give an event back: a lease. Nothing else is its to do meanwhile."""
RELEASE_PAUSE_SECONDS = 0.5

_said: set[str] = set()
"""Kinds of which this process has said that it does not know them."""


def run(graph: Graph, storage: Storage, event_id: int, epoch: int) -> str:
    """Do the event's work if it is still owed under `epoch`; what came of it, in one word.

    done; stale: claimed, finished or not due; fenced: somebody took over; continued: the rest has
    been rung for; outage: a store was away, which counts as no attempt; failed: an attempt is
    spent, on a mistake or a store's refusal, and the sweeper rings again until the event is
    quarantined; left-alone: its kind is of a newer version, whose own sweeper rings for it.
    """
    try:
        event = graph.events.claim(event_id, epoch)
    except GraphUnavailableError as error:
        log.warning("job put off", event_id=event_id, error=str(error))
        return _counted("unknown", "outage")
    if event is None:
        return _counted("unknown", "stale")
    if event.kind not in HANDLERS:
        return _left_alone(graph, event)
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(event_id=event_id, kind=event.kind):
        outcome = _handle(graph, storage, event)
        seconds = time.monotonic() - began
        log.info("job", outcome=outcome, attempts=event.attempts, seconds=round(seconds, 4))
    metrics.JOB_SECONDS.labels(kind=event.kind).observe(seconds)
    return _counted(event.kind, outcome)


def _handle(graph: Graph, storage: Storage, event: Event) -> str:
    try:
        HANDLERS[event.kind](graph, storage, event)
        return "done" if graph.events.finish(event.id, event.epoch) else "fenced"
    except FencedError:
        return "fenced"
    except UnfinishedError:
        return _continue(graph, storage, event)
    except StorageRefusedError as error:  # an attempt: it would be refused for ever
        log.error("store refuses", error=str(error))  # noqa: TRY400 - no trace needed
        return "failed"
    except (StorageUnavailableError, GraphUnavailableError) as error:
        log.warning("store away", error=str(error))
        _release(graph, event, delay_seconds=OUTAGE_DELAY_SECONDS)
        return "outage"
    except Exception:  # RQ's time-out among them: it ends here, as an attempt like any other
        log.exception("job failed", subject_id=event.subject_id, cursor=event.cursor)
        return "failed"


def _left_alone(graph: Graph, event: Event) -> str:
    """Give back an event of a kind that this version does not know: that was no attempt.

    Two versions run side by side while one replaces the other, and serve the same queues.
    """
    if event.kind not in _said:
        _said.add(event.kind)
        log.warning("kind unknown", kind=event.kind, event_id=event.id)
    _release(graph, event, delay_seconds=OUTAGE_DELAY_SECONDS)
    return _counted("unknown", "left-alone")


def _continue(graph: Graph, storage: Storage, event: Event) -> str:
    """Give the event back at once and ring for it: other events get their turn in between."""
    if _release(graph, event, delay_seconds=0):
        storage.queues.wake(event)
    return "continued"


def _release(graph: Graph, event: Event, *, delay_seconds: int) -> bool:
    """Whether the event was given back.

    If it is the graph that is away, for as long as a lease lasts: else the outage would count as
    an attempt. If it is away for longer, the lease has run out instead.
    """
    end = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            return graph.events.release(event.id, event.epoch, delay_seconds=delay_seconds)
        except GraphUnavailableError:
            if time.monotonic() > end:
                return False
            time.sleep(RELEASE_PAUSE_SECONDS)


def _counted(kind: str, outcome: str) -> str:
    metrics.JOBS.labels(kind=kind, outcome=outcome).inc()
    return outcome
