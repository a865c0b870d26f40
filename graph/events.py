"""The outbox: work that a fact owes, committed with it, claimed by one worker at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graph.connection import Connection
from graph.event_kinds import KINDS
from graph.queries import load

LEASE_MS = 20_000
"""For how long a claim or an advance keeps an event from the others, in milliseconds."""

HOLD_MS = 30_000
"""How long after a leaving its event is due, in milliseconds: a push may land until then."""

ATTEMPTS = 8
"""Claims without progress before an event goes into quarantine."""

SHARDS = 16
"""Parts in which the sweeper looks for due events: an event's id modulo this."""

CLAIM = load("events/claim")
ADVANCE = load("events/advance")
FINISH = load("events/finish")
RELEASE = load("events/release")
DUE = load("events/due")
COUNTS = load("events/counts")
OLDEST_DUE = load("events/oldest_due")
QUARANTINED = load("events/quarantined")
REQUEUE = load("events/requeue")
LISTED = load("events/listed")
BY_ID = load("events/by_id")
QUARANTINE = load("events/quarantine")

_EVER_MS = 10**15
"""Further from now than any event's time, either way."""


State = Literal["due", "waiting", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A unit of owed work. `epoch` fences: each claim raises it, and only its holder goes on.

    event_kinds.py says what `subject_id` and `author_id` are, by kind. `cursor` is how far the work
    has come.
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
        """The queue whose worker does its work. Raises KeyError for a kind of a newer version."""
        return KINDS[self.kind].queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An event and where it stands: due since or in, or in quarantine, where it has no time.

    `rung_seconds_ago` is None in lists, and where the sweeper has not rung for it.
    """

    event: Event
    quarantined: bool = False
    due_in_seconds: float | None = None
    """Below 0, or 0, of one that is due."""
    rung_seconds_ago: float | None = None

    @property
    def state(self) -> State:
        """Whether it is due, waits for its time or a lease's end, or is in quarantine."""
        if self.quarantined or self.due_in_seconds is None:
            return "quarantined"
        return "due" if self.due_in_seconds <= 0 else "waiting"


def event_of(row: dict[str, Any]) -> Event | None:
    """The event of a row, if it has one."""
    return Event(**row["event"]) if row["event"] else None


def standing_of(row: dict[str, Any]) -> Standing:
    """The event of a row, with what else the row says of it."""
    return Standing(**{**row, "event": Event(**row["event"])})


class Events:
    """Claims and ends events. Every time in here is the graph's, not the host's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, event_id: int, epoch: int) -> Event | None:
        """The event, for a lease, with its new epoch; None if it is another's, gone or not due.

        After 8 claims without progress it goes into quarantine instead.
        """
        rows = self._connection.write(
            CLAIM, event_id=event_id, epoch=epoch, lease_ms=LEASE_MS, attempts=ATTEMPTS
        )
        return event_of(rows[0]) if rows and not rows[0]["quarantined"] else None

    def advance(self, event_id: int, epoch: int, cursor: int) -> bool:
        """Note progress: a new lease, attempts forgiven. False if the event is no longer ours."""
        return bool(
            self._connection.write(
                ADVANCE, event_id=event_id, epoch=epoch, cursor=cursor, lease_ms=LEASE_MS
            )
        )

    def finish(self, event_id: int, epoch: int) -> bool:
        """End an event whose work is done. False if it is no longer ours."""
        return bool(self._connection.write(FINISH, event_id=event_id, epoch=epoch))

    def release(self, event_id: int, epoch: int, *, delay_seconds: float) -> bool:
        """Give an event back, uncounted, because a store was down. False if no longer ours."""
        return bool(
            self._connection.write(
                RELEASE, event_id=event_id, epoch=epoch, delay_ms=int(delay_seconds * 1000)
            )
        )

    def due(self, shard: int, kinds: Sequence[str], limit: int) -> list[Event]:
        """Events to ring for, longest due first: not rung for a lease, marked as rung by this."""
        rows = self._connection.write(
            DUE, shard=shard, kinds=list(kinds), lease_ms=LEASE_MS, limit=limit
        )
        return [Event(**row["event"]) for row in rows]

    def oldest_due_seconds(self) -> float:
        """For how long the oldest due event has been due; 0 if none is."""
        return float(self._connection.read(OLDEST_DUE, shards=SHARDS)[0]["seconds"])

    def counts(self) -> dict[str, int]:
        """How many events are `due`, `waiting` and `quarantined`."""
        return dict(self._connection.read(COUNTS, shards=SHARDS)[0])

    def quarantined(self, limit: int, *, kinds: Sequence[str] = (), after: int = 0) -> list[Event]:
        """Events in quarantine, oldest first; of all kinds if none is named."""
        rows = self._connection.read(QUARANTINED, kinds=list(kinds), after=after, limit=limit)
        return [Event(**row["event"]) for row in rows]

    def listed(self, state: State, limit: int, *, kinds: Sequence[str] = ()) -> list[Standing]:
        """Events in a state, the longest due or earliest first; of all kinds if none is named."""
        if state == "quarantined":
            held = self.quarantined(limit, kinds=kinds)
            return [Standing(event=event, quarantined=True) for event in held]
        from_ms, to_ms = (-_EVER_MS, 0) if state == "due" else (0, _EVER_MS)
        rows = self._connection.read(
            LISTED, shards=SHARDS, from_ms=from_ms, to_ms=to_ms, kinds=list(kinds), limit=limit
        )
        return [standing_of(row) for row in rows]

    def by_id(self, event_id: int) -> Standing | None:
        """An event and where it stands; None if it is done, or never was."""
        rows = self._connection.read(BY_ID, event_id=event_id)
        return standing_of(rows[0]) if rows else None

    def quarantine(self, event_id: int) -> Event | None:
        """Put an event into quarantine by hand; None if it is there already, or gone.

        Whoever works on it stops at the next step: its epoch has gone on.
        """
        rows = self._connection.write(QUARANTINE, event_id=event_id)
        return event_of(rows[0]) if rows else None

    def requeue(self, event_id: int) -> Event | None:
        """Let an event out of quarantine, due now; None if it is not there."""
        rows = self._connection.write(REQUEUE, event_id=event_id)
        return event_of(rows[0]) if rows else None
