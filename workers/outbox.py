"""A worker's job: drain a shard of a queue, that is, claim its due events and do their work.

The graph is the queue of record. A job that dies at any point leaves its events, and the sweeper
rings again when their leases have expired. A handler that runs twice or late finds a higher epoch
and stops.
"""

import time
from collections import deque
from collections.abc import Sequence

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.event_kinds import EXPORTS, FANOUT, FANOUT_LARGE, PHOTOS, REMOVAL, TIMELINES
from graph.events import Claims, Event
from observing import metrics
from storage import Storage
from storage.errors import StorageRefusedError, StorageUnavailableError
from workers.endings import Endings
from workers.errors import FencedError, PutOffError, StalledError, UnfinishedError
from workers.handlers import BATCH_HANDLERS, HANDLERS
from workers.outages import Outages

log = structlog.get_logger()

BATCH = {FANOUT: 64, TIMELINES: 64, REMOVAL: 64, FANOUT_LARGE: 1, PHOTOS: 1, EXPORTS: 1}
"""Events that one statement claims, by queue. A large audience takes long, and so do a
photo and a part of an export."""

NEED_CACHE = frozenset({FANOUT, FANOUT_LARGE, TIMELINES, REMOVAL})
"""Queues whose work writes to the cache."""

DRAIN_SECONDS = 1.0
"""Time after which a job claims no more and rings for the rest, behind the jobs of other shards."""

RETRY_SECONDS = 5.0
"""Age of a job after which it leaves events that were tried before to the next one. RQ ends a job
after 60 s, which would count as an attempt, and a part of an export alone takes up to 45 s."""

BEGIN_SECONDS = 1.0
"""What has not begun so long after its claim is released: its lease must last for its work."""

MOST_OUTAGES = 2
"""After so many events in a row for which a store was away, a job does no more."""

OUTAGE_DELAY_SECONDS = 5
"""Delay after a store's outage until the event is due again."""

SERVED = 64
"""Owners of photos whom a process remembers as served lately."""

_outages = Outages()
_served: deque[int] = deque(maxlen=SERVED)
"""The owners of the photos that this process has examined last."""
_retried_first: set[tuple[str, int]] = set()
"""The queue and shard of each job that had no time for retried events: the next one begins with
one."""
_logged_kinds: set[str] = set()
"""Unknown kinds that this process has logged."""


def drain(graph: Graph, storage: Storage, queue: str, shard: int) -> dict[int, str]:
    """Do the due work of a shard; returns the outcomes by event, as work().

    It takes a second, and the batch that is claimed by then; the job rings for the rest. It claims
    nothing while the cache does not answer, if the work needs it, or while outages keep this
    process from the queue; then the sweeper rings again.
    """
    storage.queues.silence(queue, shard)  # before the claim, so that later events ring again
    job = _Drain(graph, storage, queue, shard)
    if not _outages.is_paused(queue):
        try:
            if queue in NEED_CACHE:
                storage.cache.ensure_connection()
            job.run()
        except (GraphUnavailableError, StorageUnavailableError) as error:
            _outages.note(queue)
            log.warning("drain put off", queue=queue, shard=shard, error=str(error))
    return job.outcomes


def work(graph: Graph, storage: Storage, events: Sequence[Event]) -> dict[int, str]:
    """Do the work of claimed events of one shard; returns the outcomes by event.

    `done`. `fenced`: another worker has claimed the event. `continued`: released, and the rest is
    due now. `put-off`: released, and owed later, as its user has had their share. `outage`: a store
    was away, which is no attempt. `given-up`: this went on for a day, so the event is in
    quarantine. `failed`: an error of ours or a store's refusal used up an attempt; the event is due
    after its lease. `left-alone`: a newer version's kind, for that version's workers. An event
    without an outcome was released before it had begun. Raises GraphUnavailableError.
    """
    job = _Drain(graph, storage, events[0].queue, events[0].shard)
    job.do(events)
    return job.outcomes


def drain_shard_of(graph: Graph, storage: Storage, event_id: int) -> None:
    """Drain the shard of an event, for a job of the version before.

    Events of that version get what a claim needs.
    """
    try:
        graph.events.adopt()
        status = graph.events.by_id(event_id)
    except GraphUnavailableError as error:
        log.warning("drain put off", event_id=event_id, error=str(error))
        return
    if status and status.event.kind in HANDLERS:
        drain(graph, storage, status.event.queue, status.event.shard)


class _Drain:
    """One job."""

    def __init__(self, graph: Graph, storage: Storage, queue: str, shard: int) -> None:
        self._graph = graph
        self._storage = storage
        self._queue = queue
        self._shard = shard
        self._endings = Endings(graph)
        self._outages = 0
        """Events in a row for which a store was away."""
        self._left_due = False
        """Whether the last claims have left events that are due now."""

    @property
    def outcomes(self) -> dict[int, str]:
        """By event."""
        return self._endings.outcomes

    def run(self) -> None:
        """Do batch after batch, and in turns events that were tried before, each alone.

        Raises GraphUnavailableError.
        """
        began = time.monotonic()
        if self._do_left_retried() and self._is_over(began):
            return
        while True:
            batch_began = time.monotonic()
            claims = self._claim()
            self._left_due = claims.more
            self.do(claims.events)
            if claims.retried_due and time.monotonic() - began > RETRY_SECONDS:
                _retried_first.add((self._queue, self._shard))
                self._left_due = True
            elif claims.retried_due:
                self._do_retried(time.monotonic() - batch_began)
            if not self._left_due or self._is_over(began):
                return

    def _is_over(self, began: float) -> bool:
        """Whether the job claims no more; it rings for the rest, but for outages."""
        if self._is_out():
            return True
        is_over = time.monotonic() - began > DRAIN_SECONDS
        if is_over:
            self._storage.queues.ring_again(self._queue, self._shard)
        return is_over

    def _do_left_retried(self) -> bool:
        """Whether the shard's last job in this process left retried events; does one of them."""
        was_left = (self._queue, self._shard) in _retried_first
        if was_left:
            _retried_first.discard((self._queue, self._shard))
            self._do_retried(0.0)
        return was_left

    def _is_out(self) -> bool:
        return self._outages >= MOST_OUTAGES

    def _claim(self) -> Claims:
        if self._queue == PHOTOS:
            return self._graph.events.claim_fairly(self._queue, self._shard, served=_served)
        return self._graph.events.claim(self._queue, self._shard, limit=BATCH[self._queue])

    def _do_retried(self, seconds: float) -> None:
        """Do events that were tried before, each alone, for as long as a batch has taken.

        So 64 events whose worker was killed do not wait for a backlog of others.
        """
        until = time.monotonic() + seconds
        while not self._is_out():
            claim = self._graph.events.claim_retried(self._queue, self._shard)
            if claim.quarantined:
                self._endings.note(claim.quarantined, "quarantined", 0.0)
            elif claim.event:
                self.do([claim.event])
            else:
                return
            if time.monotonic() > until:
                self._left_due = True  # there may be more
                return

    def do(self, events: Sequence[Event]) -> None:
        """Do the work of claimed events; release what has not begun after a second or two outages.

        At least one of those that a batch leaves is begun, so that there is progress.
        """
        begin_until = time.monotonic() + BEGIN_SECONDS
        known = self._leave_unknown(events)
        rest = self._do_together(known)
        for position, event in enumerate(rest):
            is_late = position > 0 and time.monotonic() > begin_until
            if is_late or self._is_out():
                self._release_now(rest[position:])
                break
            self._do_one(event)
        self._endings.finish()

    def _leave_unknown(self, events: Sequence[Event]) -> list[Event]:
        """Release events whose kind this version does not know; returns the others.

        During a rolling restart workers of two versions serve the same queues. It is no attempt.
        """
        unknown = [event for event in events if event.kind not in HANDLERS]
        self._endings.release(unknown, OUTAGE_DELAY_SECONDS)
        for event in unknown:
            metrics.JOBS.labels(kind="unknown", outcome="left-alone").inc()
            self.outcomes[event.id] = "left-alone"
            if event.kind not in _logged_kinds:
                _logged_kinds.add(event.kind)
                log.warning("kind unknown", kind=event.kind, event_id=event.id)
        return [event for event in events if event.kind in HANDLERS]

    def _do_together(self, events: Sequence[Event]) -> Sequence[Event]:
        """Do the common work of each kind's events; returns those that are left for do_one().

        A fault of one event leaves all of its kind.
        """
        rest: list[Event] = []
        for kind in dict.fromkeys(event.kind for event in events):
            of_kind = [event for event in events if event.kind == kind]
            is_batch = kind in BATCH_HANDLERS and len(of_kind) > 1
            rest += self._do_batch(kind, of_kind) if is_batch else of_kind
        return rest

    def _do_batch(self, kind: str, events: Sequence[Event]) -> Sequence[Event]:
        began = time.monotonic()
        try:
            result = BATCH_HANDLERS[kind](self._graph, self._storage, events)
        except (GraphUnavailableError, StorageUnavailableError) as error:
            # Perhaps one post or one user's key is the reason: each is done alone
            log.warning("batch refused", kind=kind, error=str(error), events=len(events))
            return events
        except Exception:  # includes RQ's time-out
            log.exception("batch failed", kind=kind, events=len(events))
            return events
        self._note_success()
        seconds = time.monotonic() - began
        self._endings.add_done(result.done, seconds / len(events))
        return result.rest

    def _do_one(self, event: Event) -> None:
        began = time.monotonic()
        with structlog.contextvars.bound_contextvars(
            event_id=event.id, kind=event.kind, request_id=event.request_id
        ):
            outcome = self._handle(event)
        seconds = time.monotonic() - began
        if event.queue == PHOTOS:
            _served.append(event.author_id)
        if outcome == "done":
            self._endings.add_done([event], seconds)
        else:
            self._endings.note(event, "done" if outcome == "finished" else outcome, seconds)

    def _handle(self, event: Event) -> str:
        """Run the handler; returns the outcome. `finished`: done, and the event is finished too."""
        try:
            is_finished = HANDLERS[event.kind](self._graph, self._storage, event)
        except FencedError:
            return "fenced"
        except (UnfinishedError, PutOffError) as error:
            return self._leave(event, error)
        except (StalledError, StorageRefusedError) as error:
            _log_failure(error)
            return "failed"
        except (StorageUnavailableError, GraphUnavailableError) as error:
            log.warning("store away", error=str(error))
            return self._put_off(event)
        except Exception:  # includes RQ's time-out, which counts as an attempt too
            log.exception("job failed", subject_id=event.subject_id, cursor=event.cursor)
            return "failed"
        self._note_success()
        return "finished" if is_finished else "done"

    def _leave(self, event: Event, error: UnfinishedError | PutOffError) -> str:
        """Release an event whose work goes on later."""
        if isinstance(error, PutOffError):
            self._endings.release([event], error.seconds, is_owed=False)
            return "put-off"
        self._note_success()
        self._release_now([event])
        return "continued"

    def _release_now(self, events: Sequence[Event]) -> None:
        """Release events that are due again at once."""
        self._left_due = True
        self._endings.release(events, 0)

    def _note_success(self) -> None:
        self._outages = 0
        _outages.forget(self._queue)

    def _put_off(self, event: Event) -> str:
        self._outages += 1
        if self._is_out():
            _outages.note(self._queue)
        return self._endings.put_off(event, OUTAGE_DELAY_SECONDS)


def _log_failure(error: StalledError | StorageRefusedError) -> None:
    """Log a failed attempt that is no bug of ours, so without a trace."""
    if isinstance(error, StalledError):  # perhaps the machine paused this process
        log.warning("job stalled", error=str(error))
    else:  # the store would refuse every time
        log.error("store refuses", error=str(error))
