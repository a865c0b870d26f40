"""The outbox: each fact commits its owed work as an event; one worker at a time claims it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graph.connection import Connection
from graph.event_kinds import KINDS
from graph.queries import load

LEASE_MS = 20_000
"""Time for which a claim or an advance reserves an event, in milliseconds."""

UNFOLLOW_DELAY_MS = 30_000
"""Time from the end of a follow until its event is due, in milliseconds.

A push of a page of followers that was read before can reach the timeline until then.
"""

ATTEMPTS = 8
"""Claims without progress before an event goes into quarantine."""

SHARDS = 16
"""Number of parts in which the sweeper reads due events; an event's shard is its id modulo 16."""

CLAIM = load("events/claim")
ADVANCE = load("events/advance")
FINISH = load("events/finish")
RELEASE = load("events/release")
SELECT_FOR_WAKE = load("events/select_for_wake")
COUNTS = load("events/counts")
OLDEST_DUE = load("events/oldest_due")
OLDEST_OWED = load("events/oldest_owed")
QUARANTINE_PAGE = load("events/quarantine_page")
REQUEUE = load("events/requeue")
BY_DUE_TIME = load("events/by_due_time")
BY_ID = load("events/by_id")
QUARANTINE = load("events/quarantine")

_UNBOUNDED_MS = 10**15
"""A span in milliseconds that is longer than any event's time from now, in either direction."""


State = Literal["due", "waiting", "quarantined"]
Released = Literal["released", "quarantined", "fenced"]
"""`fenced`: another worker has claimed the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A unit of owed work.

    The kind defines what `subject_id` and `author_id` are (event_kinds.py), and `cursor` is the
    progress of the work. Each claim raises `epoch`, which fences all holders of earlier epochs.
    """

    id: int
    kind: str
    subject_id: int
    author_id: int
    epoch: int
    cursor: int
    attempts: int

    @property
    def queue(self) -> str:
        """The queue of the event's kind. Raises KeyError for a kind of a newer version."""
        return KINDS[self.kind].queue


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStatus:
    """An event and its state."""

    event: Event
    quarantined: bool = False
    due_in_seconds: float | None = None
    """0 or less if the event is due; None in quarantine."""
    owed_seconds: float | None = None
    """The time since the event was first due, below 0 before; None in quarantine."""
    rung_seconds_ago: float | None = None
    """Time since the last wake by the sweeper; None if there was none, and in lists."""

    @property
    def state(self) -> State:
        """An event that is `waiting` has a delay, or a worker has claimed it."""
        if self.quarantined or self.due_in_seconds is None:
            return "quarantined"
        return "due" if self.due_in_seconds <= 0 else "waiting"


def event_of(row: dict[str, Any]) -> Event | None:
    """The event of a row; None if the row has none."""
    return Event(**row["event"]) if row["event"] else None


def status_of(row: dict[str, Any]) -> EventStatus:
    """The event of a row and its state."""
    return EventStatus(**{**row, "event": Event(**row["event"])})


class Events:
    """Claims, finishes and lists events. All times are of the graph's clock, not the host's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, event_id: int, epoch: int) -> Event | None:
        """The event with a new epoch and a lease.

        None if the event does not exist, is not due, or has another epoch. After 8 claims without
        progress the event goes into quarantine, and None is returned.
        """
        rows = self._connection.write(
            CLAIM, event_id=event_id, epoch=epoch, lease_ms=LEASE_MS, attempts=ATTEMPTS
        )
        return event_of(rows[0]) if rows and not rows[0]["quarantined"] else None

    def advance(self, event_id: int, epoch: int, cursor: int) -> bool:
        """Store the cursor, renew the lease and reset the attempts. False if fenced."""
        return bool(
            self._connection.write(
                ADVANCE, event_id=event_id, epoch=epoch, cursor=cursor, lease_ms=LEASE_MS
            )
        )

    def finish(self, event_id: int, epoch: int) -> bool:
        """Delete an event whose work is done. False if fenced."""
        return bool(self._connection.write(FINISH, event_id=event_id, epoch=epoch))

    def release(
        self,
        event_id: int,
        epoch: int,
        *,
        delay_seconds: float,
        longest_seconds: float | None = None,
    ) -> Released:
        """End a claim that failed because a store was down; it is no attempt.

        An event that has been owed for longer than `longest_seconds`, if given, goes into
        quarantine instead.
        """
        longest_ms = _UNBOUNDED_MS if longest_seconds is None else int(longest_seconds * 1000)
        rows = self._connection.write(
            RELEASE,
            event_id=event_id,
            epoch=epoch,
            delay_ms=int(delay_seconds * 1000),
            longest_ms=longest_ms,
        )
        if not rows:
            return "fenced"
        return "quarantined" if rows[0]["quarantined"] else "released"

    def select_for_wake(self, shard: int, kinds: Sequence[str], limit: int) -> list[Event]:
        """Due events whose worker needs a wake, longest due first.

        This sets their `rung_at`, so no sweeper selects them again within a lease.
        """
        rows = self._connection.write(
            SELECT_FOR_WAKE, shard=shard, kinds=list(kinds), lease_ms=LEASE_MS, limit=limit
        )
        return [Event(**row["event"]) for row in rows]

    def oldest_due_seconds(self) -> float:
        """The time since the oldest due event was due; 0 if no event is due."""
        return float(self._connection.read(OLDEST_DUE, shards=SHARDS)[0]["seconds"])

    def oldest_owed_seconds(self) -> float:
        """The time since the oldest event was first due, however often it was claimed.

        0 if none is owed.
        """
        return float(self._connection.read(OLDEST_OWED, shards=SHARDS)[0]["seconds"])

    def counts(self) -> dict[str, int]:
        """The number of events that are `due`, `waiting` and `quarantined`."""
        return dict(self._connection.read(COUNTS, shards=SHARDS)[0])

    def quarantine_page(
        self, limit: int, *, kinds: Sequence[str] = (), after: int = 0
    ) -> list[Event]:
        """Events in quarantine above the id `after`, ascending; of all kinds by default."""
        rows = self._connection.read(QUARANTINE_PAGE, kinds=list(kinds), after=after, limit=limit)
        return [Event(**row["event"]) for row in rows]

    def by_state(self, state: State, limit: int, *, kinds: Sequence[str] = ()) -> list[EventStatus]:
        """Events in a state, earliest due first; in quarantine by id. All kinds by default."""
        if state == "quarantined":
            events = self.quarantine_page(limit, kinds=kinds)
            return [EventStatus(event=event, quarantined=True) for event in events]
        from_ms, to_ms = (-_UNBOUNDED_MS, 0) if state == "due" else (0, _UNBOUNDED_MS)
        rows = self._connection.read(
            BY_DUE_TIME, shards=SHARDS, from_ms=from_ms, to_ms=to_ms, kinds=list(kinds), limit=limit
        )
        return [status_of(row) for row in rows]

    def by_id(self, event_id: int) -> EventStatus | None:
        """An event and its state; None if it is finished or never existed."""
        rows = self._connection.read(BY_ID, event_id=event_id)
        return status_of(rows[0]) if rows else None

    def quarantine(self, event_id: int) -> Event | None:
        """Put an event into quarantine; None if it is in quarantine already or does not exist.

        This raises the epoch, so a worker that holds the event stops at its next step.
        """
        rows = self._connection.write(QUARANTINE, event_id=event_id)
        return event_of(rows[0]) if rows else None

    def requeue(self, event_id: int) -> Event | None:
        """Take an event out of quarantine and make it due now; None if it is not in quarantine."""
        rows = self._connection.write(REQUEUE, event_id=event_id)
        return event_of(rows[0]) if rows else None
