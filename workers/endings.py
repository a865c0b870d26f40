"""How a job ends its claims: done events are finished together, others are released."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import Event, Released
from observing import metrics

T = TypeVar("T")

log = structlog.get_logger()

FINISH_SECONDS = 0.5
"""Longest time until done events are finished. A kill in between repeats them."""

GIVE_UP_SECONDS = 86_400.0
"""An event that has been owed for so long goes into quarantine at its next outage, if only its own
work seems to fail: this worker has done other work of its queue meanwhile."""
RECENT_SECONDS = 600.0
"""How long ago that other work may have been done."""

TRY_SECONDS = 20.0
"""How long a worker tries to finish or release events: as long as a lease."""
TRY_PAUSE_SECONDS = 0.5

_done_at: dict[str, float] = {}
"""By queue, when this process last finished an event."""


@dataclass(frozen=True, slots=True)
class _Done:
    event: Event
    seconds: float


class Endings:
    """Ends the claims of one job, and counts and logs their outcomes."""

    def __init__(self, graph: Graph) -> None:
        self.outcomes: dict[int, str] = {}
        """By event."""
        self._graph = graph
        self._done: list[_Done] = []
        self._finished_at = time.monotonic()

    def add_done(self, events: Iterable[Event], seconds: float) -> None:
        """Remember events whose work is done; each took so many seconds.

        They are finished now if that was last done long ago. Raises GraphUnavailableError.
        """
        self._done += [_Done(event, seconds) for event in events]
        if time.monotonic() - self._finished_at > FINISH_SECONDS:
            self.finish()

    def finish(self) -> None:
        """Finish all events that are done. Raises GraphUnavailableError after tries for a lease."""
        done, self._done = self._done, []
        finished = self._finish([one.event for one in done]) if done else set()
        self._finished_at = time.monotonic()
        for one in done:
            is_mine = one.event.id in finished
            self.note(one.event, "done" if is_mine else "fenced", one.seconds)

    def _finish(self, events: Sequence[Event]) -> set[int]:
        """The ids of those that are finished now. Doing them again would be an attempt of each."""
        return _until_answered(lambda: self._graph.events.finish(events))

    def put_off(self, event: Event, delay_seconds: float) -> str:
        """Release an event for which a store was away; returns the outcome.

        One that is owed for too long is given up.
        """
        done_at = _done_at.get(event.queue)
        others_are_done = done_at is not None and time.monotonic() - done_at < RECENT_SECONDS
        longest = GIVE_UP_SECONDS if others_are_done else None
        released = self.release([event], delay_seconds, longest_seconds=longest)
        if released.get(event.id) != "quarantined":
            return "outage"
        log.error("event given up", subject_id=event.subject_id, cursor=event.cursor)
        return "given-up"

    def release(
        self,
        events: Sequence[Event],
        delay_seconds: float,
        *,
        longest_seconds: float | None = None,
        is_owed: bool = True,
    ) -> Mapping[int, Released]:
        """Release events, which cancels the attempt. Without `is_owed` their age begins anew.

        Gives up in a long outage of the graph: the leases have expired then.
        """
        if not events:
            return {}
        try:
            return _until_answered(
                lambda: self._graph.events.release(
                    events,
                    delay_seconds=delay_seconds,
                    longest_seconds=longest_seconds,
                    is_owed=is_owed,
                )
            )
        except GraphUnavailableError:
            return {}

    def note(self, event: Event, outcome: str, seconds: float) -> None:
        """Count and log how a job has ended for an event."""
        self.outcomes[event.id] = outcome
        if outcome == "done":
            _done_at[event.queue] = time.monotonic()
        metrics.JOB_SECONDS.labels(kind=event.kind).observe(seconds)
        metrics.JOBS.labels(kind=event.kind, outcome=outcome).inc()
        log.info(
            "job",
            event_id=event.id,
            kind=event.kind,
            request_id=event.request_id,
            outcome=outcome,
            attempts=event.attempts,
            seconds=round(seconds, 4),
        )


def _until_answered(call: Callable[[], T]) -> T:
    """The call's result. Raises GraphUnavailableError after tries for TRY_SECONDS."""
    end = time.monotonic() + TRY_SECONDS
    while True:
        try:
            return call()
        except GraphUnavailableError:
            if time.monotonic() > end:
                raise
            time.sleep(TRY_PAUSE_SECONDS)
