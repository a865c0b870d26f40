"""A worker's job: claim the event, do the work of its kind, finish the event.

The graph is the queue of record. A job that dies at any point leaves its event, and the sweeper
enqueues a new job when the lease has expired. A job that runs twice or late finds a higher epoch
and does nothing.
"""

import time

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import Event, Released
from observing import metrics
from storage import Storage
from storage.errors import StorageRefusedError, StorageUnavailableError
from workers.errors import FencedError, StalledError, UnfinishedError
from workers.handlers import HANDLERS

log = structlog.get_logger()

OUTAGE_DELAY_SECONDS = 5
"""Delay after a store's outage until the event is due again. The sweeper then wakes a worker."""


GIVE_UP_SECONDS = 86_400.0
"""An event that has been owed for so long goes into quarantine at its next outage, if only its own
work seems to fail: this worker has done other work of its queue meanwhile."""
RECENT_SECONDS = 600.0
"""How long ago that other work may have been done."""

RELEASE_SECONDS = 20.0
"""How long a worker tries to release an event: as long as a lease."""
RELEASE_PAUSE_SECONDS = 0.5

_logged_kinds: set[str] = set()
"""Unknown kinds that this process has logged."""
_done_at: dict[str, float] = {}
"""By queue, when this process last finished an event."""


def run(graph: Graph, storage: Storage, event_id: int, epoch: int) -> str:
    """Do the event's work if it is due and still has this `epoch`; returns the outcome in one word.

    `done`. `stale`: already claimed, finished or not due. `fenced`: another worker has claimed the
    event. `continued`: a job for the rest is enqueued. `outage`: a store was unavailable, which
    counts as no attempt. `given-up`: this went on for a day, so the event is in quarantine.
    `failed`: an error of ours or a store's refusal used up an attempt; the sweeper wakes a worker
    again until the event is quarantined. `left-alone`: a newer version's kind, for that version's
    workers.
    """
    try:
        event = graph.events.claim(event_id, epoch)
    except GraphUnavailableError as error:
        log.warning("job put off", event_id=event_id, error=str(error))
        return _count("unknown", "outage")
    if event is None:
        return _count("unknown", "stale")
    if event.kind not in HANDLERS:
        return _release_unknown_kind(graph, event)
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(event_id=event_id, kind=event.kind):
        outcome = _handle(graph, storage, event)
        seconds = time.monotonic() - began
        log.info("job", outcome=outcome, attempts=event.attempts, seconds=round(seconds, 4))
    metrics.JOB_SECONDS.labels(kind=event.kind).observe(seconds)
    return _count(event.kind, outcome)


def _handle(graph: Graph, storage: Storage, event: Event) -> str:
    try:
        HANDLERS[event.kind](graph, storage, event)
        return _finish(graph, event)
    except FencedError:
        return "fenced"
    except UnfinishedError:
        return _release_and_wake(graph, storage, event)
    except (StalledError, StorageRefusedError) as error:
        _log_failure(error)
        return "failed"
    except (StorageUnavailableError, GraphUnavailableError) as error:
        log.warning("store away", error=str(error))
        return _put_off(graph, event)
    except Exception:  # includes RQ's time-out, which counts as an attempt too
        log.exception("job failed", subject_id=event.subject_id, cursor=event.cursor)
        return "failed"


def _finish(graph: Graph, event: Event) -> str:
    if not graph.events.finish(event.id, event.epoch):
        return "fenced"
    _done_at[event.queue] = time.monotonic()
    return "done"


def _put_off(graph: Graph, event: Event) -> str:
    """Release an event for which a store was away; one that is owed for too long is given up."""
    done_at = _done_at.get(event.queue)
    others_are_done = done_at is not None and time.monotonic() - done_at < RECENT_SECONDS
    longest = GIVE_UP_SECONDS if others_are_done else None
    released = _release(graph, event, delay_seconds=OUTAGE_DELAY_SECONDS, longest_seconds=longest)
    if released != "quarantined":
        return "outage"
    log.error("event given up", subject_id=event.subject_id, cursor=event.cursor)
    return "given-up"


def _log_failure(error: StalledError | StorageRefusedError) -> None:
    """Log a failed attempt that is no bug of ours, so without a trace."""
    if isinstance(error, StalledError):  # perhaps the machine paused this process
        log.warning("job stalled", error=str(error))
    else:  # the store would refuse every time
        log.error("store refuses", error=str(error))


def _release_unknown_kind(graph: Graph, event: Event) -> str:
    """Release an event whose kind this version does not know; this counts as no attempt.

    During a rolling restart workers of two versions serve the same queues.
    """
    if event.kind not in _logged_kinds:
        _logged_kinds.add(event.kind)
        log.warning("kind unknown", kind=event.kind, event_id=event.id)
    _release(graph, event, delay_seconds=OUTAGE_DELAY_SECONDS)
    return _count("unknown", "left-alone")


def _release_and_wake(graph: Graph, storage: Storage, event: Event) -> str:
    """Release the event and enqueue its next job behind those of other events."""
    if _release(graph, event, delay_seconds=0) == "released":
        storage.queues.wake(event)
    return "continued"


def _release(
    graph: Graph,
    event: Event,
    *,
    delay_seconds: int,
    longest_seconds: float | None = None,
) -> Released:
    """Release the event, which cancels the attempt.

    Retries for as long as a lease lasts while the graph is unavailable. After that the lease has
    expired anyway.
    """
    end = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            return graph.events.release(
                event.id,
                event.epoch,
                delay_seconds=delay_seconds,
                longest_seconds=longest_seconds,
            )
        except GraphUnavailableError:
            if time.monotonic() > end:
                return "fenced"
            time.sleep(RELEASE_PAUSE_SECONDS)


def _count(kind: str, outcome: str) -> str:
    metrics.JOBS.labels(kind=kind, outcome=outcome).inc()
    return outcome
