"""The outbox: each fact commits its owed work as an event; one worker at a time claims it.

Every event is in a shard of a queue, and a worker claims what is due of one shard.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from graph.connection import Connection
from graph.event_kinds import EXPORTS, KINDS, PHOTOS, PROMPT_QUEUES, QUEUES
from graph.queries import load

LEASE_MS = 20_000
"""Time for which a claim or an advance reserves an event, in milliseconds."""

LONG_LEASE_MS = 45_000
"""The same for the event of a photo or an export, as one call to a slow S3 can take 36 s."""

UNFOLLOW_DELAY_MS = 30_000
"""Time from the end of a follow until its event is due, in milliseconds.

A push of a page of followers that was read before can reach the timeline until then.
"""

ATTEMPTS = 8
"""Claims without progress before an event goes into quarantine."""

SHARDS = 16
"""Number of parts of a queue. The shard of an event is its id modulo 16, of an uploaded photo's
event its owner's id modulo 16."""

LATE_MS = 1_000
"""Time for which an event is due before the sweeper wakes a worker for it, in milliseconds. Whoever
committed the event has woken one."""

LATE_COUNT = 100
"""Up to so many events of a shard are counted for a wake."""

FAIR_WINDOW = 5_000
"""Due events among whose authors a fair claim chooses: several times what one author may upload in
a day."""

COUNTED = 2_000
"""Up to so many events of a shard are counted in each state, so that a count costs no more in a
backlog of millions."""

ADOPT_PAGE = 1_000
"""Events of the version before that one statement adopts."""

CLAIM = load("events/claim")
CLAIM_RETRIED = load("events/claim_retried")
CLAIM_FAIRLY = load("events/claim_fairly")
ADVANCE = load("events/advance")
RENEW = load("events/renew")
FINISH = load("events/finish")
RELEASE = load("events/release")
DUE_SHARDS = load("events/due_shards")
ADOPT = load("events/adopt")
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

_ALL_SHARDS = {"queues": list(QUEUES), "shards": SHARDS}
"""The parameters of statements about all queues."""

State = Literal["due", "waiting", "quarantined"]
Released = Literal["released", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A unit of owed work.

    The kind defines what `subject_id` and `author_id` are (event_kinds.py), and `cursor` is the
    progress of the work. Each claim raises `epoch`, which fences all holders of earlier epochs.
    """

    id: int
    kind: str
    shard: int
    subject_id: int
    author_id: int
    epoch: int
    cursor: int
    attempts: int
    request_id: str | None = None
    """The request that owes the work, for the logs."""

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

    @property
    def state(self) -> State:
        """An event that is `waiting` has a delay, or a worker has claimed it."""
        if self.quarantined or self.due_in_seconds is None:
            return "quarantined"
        return "due" if self.due_in_seconds <= 0 else "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Events that were never tried and that the claimant now holds."""

    events: list[Event]
    more: bool
    """Whether more of them are due in the shard."""
    retried_due: bool
    """Whether events that were tried before are due in the shard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedClaim:
    """One event that was tried before, held by the claimant or in quarantine from now on.

    Neither, if another claim got it.
    """

    event: Event | None = None
    quarantined: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueShard:
    """A shard with events that have been due for a while, and their number up to LATE_COUNT."""

    queue: str
    shard: int
    count: int


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

    def claim(self, queue: str, shard: int, *, limit: int) -> Claims:
        """Claim due events of a shard that were never tried, each with a new epoch and a lease."""
        rows = self._connection.write(
            CLAIM, queue=queue, shard=shard, limit=limit, lease_ms=_lease_ms(queue)
        )
        return _claims_of(rows)

    def claim_fairly(self, queue: str, shard: int, *, served: Sequence[int]) -> Claims:
        """Claim one due event that was never tried, of the author who was served longest ago.

        `served`: the ids of the authors who were served lately, the latest last.
        """
        rows = self._connection.write(
            CLAIM_FAIRLY,
            queue=queue,
            shard=shard,
            window=FAIR_WINDOW,
            served=list(served),
            lease_ms=_lease_ms(queue),
        )
        return _claims_of(rows)

    def claim_retried(self, queue: str, shard: int) -> RetriedClaim:
        """Claim one due event that was tried before, alone, as it may kill its process.

        After 8 claims without progress it goes into quarantine instead.
        """
        rows = self._connection.write(
            CLAIM_RETRIED,
            queue=queue,
            shard=shard,
            lease_ms=_lease_ms(queue),
            attempts=ATTEMPTS,
        )
        for row in rows:
            event = event_of(row)
            if row["claimed"]:
                return RetriedClaim(event=event)
            if row["quarantined"]:
                return RetriedClaim(quarantined=event)
        return RetriedClaim()

    def advance(self, event_id: int, epoch: int, cursor: int) -> bool:
        """Store the cursor, renew the lease and reset the attempts. False if fenced."""
        return bool(
            self._connection.write(
                ADVANCE, event_id=event_id, epoch=epoch, cursor=cursor, lease_ms=LEASE_MS
            )
        )

    def renew(self, event: Event) -> bool:
        """Renew the lease of an event that has made no progress yet. False if fenced."""
        lease_ms = _lease_ms(event.queue)
        return bool(
            self._connection.write(RENEW, event_id=event.id, epoch=event.epoch, lease_ms=lease_ms)
        )

    def finish(self, events: Iterable[Event]) -> set[int]:
        """Delete events whose work is done; returns the ids of those that were not fenced."""
        rows = self._connection.write(FINISH, claims=_claims(events))
        return {row["event_id"] for row in rows}

    def release(
        self,
        events: Iterable[Event],
        *,
        delay_seconds: float,
        longest_seconds: float | None = None,
        is_owed: bool = True,
    ) -> dict[int, Released]:
        """End claims that are no attempts, by the events' ids; a fenced event is left out.

        Without `is_owed` their work is owed from the end of the delay on.

        An event that has been owed for longer than `longest_seconds`, if given, goes into
        quarantine instead. A repeat does nothing.
        """
        longest_ms = _UNBOUNDED_MS if longest_seconds is None else int(longest_seconds * 1000)
        rows = self._connection.write(
            RELEASE,
            claims=_claims(events),
            delay_ms=int(delay_seconds * 1000),
            longest_ms=longest_ms,
            is_owed=is_owed,
        )
        return {
            row["event_id"]: "quarantined" if row["quarantined"] else "released" for row in rows
        }

    def due_shards(self, queues: Sequence[str] = QUEUES) -> list[DueShard]:
        """The shards of these queues with events that have been due for a second."""
        rows = self._connection.read(
            DUE_SHARDS, queues=list(queues), shards=SHARDS, late_ms=LATE_MS, most=LATE_COUNT
        )
        return [DueShard(**row) for row in rows]

    def adopt(self) -> int:
        """Give the events of the version before what claims need; returns their number.

        Goes on while a page is full: processes of that version may still create some.
        """
        queues = {name: kind.queue for name, kind in KINDS.items()}
        adopted, page = 0, ADOPT_PAGE
        while page >= ADOPT_PAGE:
            page = len(self._connection.write(ADOPT, queues=queues, limit=ADOPT_PAGE))
            adopted += page
        return adopted

    def oldest_due_seconds(self, queues: Sequence[str] = PROMPT_QUEUES) -> float:
        """The time since the oldest due event of these queues was due; 0 if no event is due."""
        rows = self._connection.read(OLDEST_DUE, queues=list(queues), shards=SHARDS)
        return float(rows[0]["seconds"])

    def oldest_owed_seconds(self) -> float:
        """The time since the oldest event of PROMPT_QUEUES was first due.

        It counts however often the event was claimed since. 0 if none is owed.
        """
        rows = self._connection.read(OLDEST_OWED, queues=list(PROMPT_QUEUES), shards=SHARDS)
        return float(rows[0]["seconds"])

    def counts(self) -> dict[str, int]:
        """The number of events that are `due`, `waiting` and `quarantined`.

        Each shard counts up to 2,000 of the first two.
        """
        return dict(self._connection.read(COUNTS, most=COUNTED, **_ALL_SHARDS)[0])

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
            BY_DUE_TIME,
            from_ms=from_ms,
            to_ms=to_ms,
            kinds=list(kinds),
            limit=limit,
            **_ALL_SHARDS,
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


def _lease_ms(queue: str) -> int:
    return LONG_LEASE_MS if queue in {PHOTOS, EXPORTS} else LEASE_MS


def _claims(events: Iterable[Event]) -> list[list[int]]:
    """The parameter of statements about claimed events."""
    return [[event.id, event.epoch] for event in events]


def _claims_of(rows: Sequence[dict[str, Any]]) -> Claims:
    [row] = rows
    return Claims(**{**row, "events": [Event(**event) for event in row["events"]]})
