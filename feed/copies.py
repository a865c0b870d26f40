"""The copies of one process: bodies of posts and sessions, dropped when a change says so.

docs/decisions/0014 has the rules. This module decides and does no I/O; feed/copy_reading.py reads
Redis. The copies belong to one thread, so they need no lock. Time is an argument.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from feed.rendering import digest_of
from observing import metrics
from storage.changes import Change, Subject, SubjectKind, author, post, session, user
from storage.sessions import SessionCopy

V = TypeVar("V")

SESSION_SECONDS = 60.0
"""A session copy is read anew after this time."""
SESSIONS_SHARE = 8
"""Sessions may use one part in so many of the bytes; bodies use the others."""
BODY_OVERHEAD_BYTES = 560
"""Bytes of a body's copy beside its JSON: objects, entry, index. Measured: 542 with one post an
author, 373 with thirty."""
SESSION_BYTES = 700
"""Bytes of a session's copy; 677 measured."""
TOUCH_EVERY = 8
"""Reads of bodies for each that renews the order of use: that costs as much as the read itself."""
MAX_DROP_TIMES = 10_000
"""Times of drops that are remembered for the reads in flight. More count as a drop of all."""
MAX_APPLIED_CHANGES = 10_000
"""Ids of applied changes. A change is seen once a partition, within about two seconds; one that is
forgotten sooner is applied twice, which is only slower."""

_AUTHOR = re.compile(rb'\{"id":"\d+","author":\{"id":"(\d+)"')
"""The head of a body's JSON: see feed/rendering.py."""


class Body(NamedTuple):
    """The finished JSON of a post, b"" for a deleted post."""

    json: bytes
    digest: bytes
    """BLAKE2b of the JSON."""
    author_id: int | None
    """None if the JSON names no author."""


TOMBSTONE = Body(b"", digest_of(b""), None)
"""The body of a deleted post, or of one whose author is hidden."""
NOBODY = 0
"""The owner of tombstones. A change of any author drops them all: one can be of the author's post,
which is shown again, and none says whose it is."""


def body_of(json: bytes) -> Body:
    """The body with this JSON."""
    if not json:
        return TOMBSTONE
    head = _AUTHOR.match(json)
    return Body(json, digest_of(json), int(head[1]) if head else None)


class _KeptSession(NamedTuple):
    copy: SessionCopy
    read_at: float


class _Lru(Generic[V]):
    """Values by id, bounded by bytes, with an index by owner; the least recently used leave first.

    `size_of` a value in bytes; `owner_of` a value, None for a value without one.
    """

    def __init__(
        self,
        limit_bytes: int,
        *,
        size_of: Callable[[V], int],
        owner_of: Callable[[V], int | None],
    ) -> None:
        self.entries: OrderedDict[int, V] = OrderedDict()
        self.bytes = 0
        self._limit_bytes = limit_bytes
        self._size_of = size_of
        self._owner_of = owner_of
        self._ids_by_owner: dict[int, set[int]] = {}

    def put(self, key: int, value: V) -> None:
        """Keep the value as the most recently used one, unless it alone is too large."""
        if key in self.entries:
            self.pop(key)
        size = self._size_of(value)
        if size > self._limit_bytes:
            return
        self.entries[key] = value
        self.bytes += size
        owner = self._owner_of(value)
        if owner is not None:
            self._ids_by_owner.setdefault(owner, set()).add(key)
        while self.bytes > self._limit_bytes:
            self.pop(next(iter(self.entries)))

    def pop(self, key: int) -> None:
        """Remove the value, if there is one."""
        value = self.entries.pop(key, None)
        if value is None:
            return
        self.bytes -= self._size_of(value)
        owner = self._owner_of(value)
        if owner is not None:
            keys = self._ids_by_owner[owner]
            keys.remove(key)
            if not keys:
                del self._ids_by_owner[owner]

    def pop_owner(self, owner: int) -> None:
        """Remove all values of an owner."""
        for key in list(self._ids_by_owner.get(owner, ())):
            self.pop(key)

    def clear(self) -> None:
        """Remove all values."""
        self.entries.clear()
        self._ids_by_owner.clear()
        self.bytes = 0


class _DropTimes:
    """When subjects were dropped, as long as a read is in flight that began before."""

    def __init__(self) -> None:
        self._in_flight: dict[int, int] = {}
        """Reads by the time of their begin, oldest first."""
        self._times: OrderedDict[Subject, int] = OrderedDict()
        """The last drop of a subject, oldest first."""
        self._all_dropped = 0

    def begin(self, now: int) -> None:
        """Begin a read."""
        self._in_flight[now] = self._in_flight.get(now, 0) + 1

    def end(self, began: int) -> None:
        """End a read, and forget the drops that no other read in flight needs."""
        self._in_flight[began] -= 1
        if not self._in_flight[began]:
            del self._in_flight[began]
        if not self._in_flight:
            self._times.clear()
        while self._times and next(iter(self._times.values())) <= next(iter(self._in_flight)):
            self._times.popitem(last=False)

    def record(self, subject: Subject, now: int) -> None:
        """A subject was dropped. Too many times at once become one of everything."""
        if not self._in_flight:
            return
        self._times[subject] = now
        self._times.move_to_end(subject)
        if len(self._times) > MAX_DROP_TIMES:
            self.record_all(now)

    def record_all(self, now: int) -> None:
        """Everything was dropped."""
        self._all_dropped = now
        self._times.clear()

    def any_since(self, began: int, *subjects: Subject) -> bool:
        """Whether one of these, or everything, was dropped after the read began."""
        newest = max(self._times.get(subject, 0) for subject in subjects)
        return max(newest, self._all_dropped) > began


class Copies:
    """Bodies and sessions of one process, for one thread, within a number of bytes (0: none)."""

    def __init__(self, limit_bytes: int) -> None:
        for_sessions = limit_bytes // SESSIONS_SHARE
        self._bodies: _Lru[Body] = _Lru(
            limit_bytes - for_sessions,
            size_of=lambda body: len(body.json) + BODY_OVERHEAD_BYTES,
            owner_of=lambda body: body.author_id or NOBODY,
        )
        self._sessions: _Lru[_KeptSession] = _Lru(
            for_sessions,
            size_of=lambda _: SESSION_BYTES,
            owner_of=lambda kept: kept.copy.user_id,
        )
        self.clock = 0
        """Drops so far."""
        self._drop_times = _DropTimes()
        self._applied: OrderedDict[bytes, None] = OrderedDict()
        """Ids of applied changes, oldest first."""
        self._counts = Counts()
        self.tick = 0
        """Rises with each drop of a body, of bodies or of everything: what was made of bodies is
        exact while the tick is the same."""

    @property
    def size_bytes(self) -> int:
        """The bytes that all copies use."""
        return self._bodies.bytes + self._sessions.bytes

    def bodies_of(self, post_ids: Sequence[int]) -> list[Body | None]:
        """The kept body of each post, in the same order; None if there is none."""
        entries, counts = self._bodies.entries, self._counts
        bodies = list(map(entries.get, post_ids))
        misses = bodies.count(None)
        counts.hits += len(bodies) - misses
        counts.misses += misses
        counts.reads += 1
        if not counts.reads % TOUCH_EVERY:
            self._touch(post_ids)
        return bodies

    def session(self, session_id: int, now: float) -> SessionCopy | None:
        """The kept copy of a session, if it was read within SESSION_SECONDS and has not expired."""
        kept = self._sessions.entries.get(session_id)
        if kept is None:
            return None
        if now - kept.read_at >= SESSION_SECONDS or now >= kept.copy.expires_at:
            self._sessions.pop(session_id)
            return None
        self._sessions.entries.move_to_end(session_id)
        return kept.copy

    def begin(self) -> int:
        """The time of a read's begin, to be taken before the read is sent, and given to `end`."""
        self._drop_times.begin(self.clock)
        return self.clock

    def end(self, began: int) -> None:
        """End the read that began then, also one that failed. What it read is kept before."""
        self._drop_times.end(began)

    def keep_bodies(self, bodies: Mapping[int, Body | None], began: int) -> None:
        """Keep bodies that were read from Redis, unless a drop concerned them since then.

        `began`: the time when the read began.
        """
        for post_id, body in bodies.items():
            if body is None or (body.author_id is None and body is not TOMBSTONE):
                continue
            if began == self.clock or not self._dropped_since(
                began, post(post_id), author(body.author_id or NOBODY)
            ):
                self._bodies.put(post_id, body)

    def keep_session(self, session_id: int, copy: SessionCopy, began: int, now: float) -> None:
        """Keep a session copy that was read from Redis, likewise. `now`: Unix seconds."""
        if not self._dropped_since(began, session(session_id), user(copy.user_id)):
            self._sessions.put(session_id, _KeptSession(copy, now))

    def apply(self, changes: Iterable[Change]) -> None:
        """Drop what the changes concern. A change that was applied before is skipped."""
        for change in changes:
            if change.id not in self._applied:
                self._remember(change.id)
                self._drop(change.subject)

    def drop_everything(self) -> None:
        """Drop all copies, also those that reads in flight will bring."""
        self.clock += 1
        self.tick = self.clock
        self._drop_times.record_all(self.clock)
        self._bodies.clear()
        self._sessions.clear()
        self._counts.flushes += 1

    def take_counts(self) -> "Counts":
        """What has happened since the last call. Its `report` may run in another thread."""
        counts, self._counts = self._counts, Counts(reads=self._counts.reads)
        counts.size_bytes = self.size_bytes
        return counts

    def _touch(self, post_ids: Sequence[int]) -> None:
        entries = self._bodies.entries
        for post_id in post_ids:
            if post_id in entries:
                entries.move_to_end(post_id)

    def _dropped_since(self, began: int, *subjects: Subject) -> bool:
        return self._drop_times.any_since(began, *subjects)

    def _remember(self, change_id: bytes) -> None:
        self._applied[change_id] = None
        if len(self._applied) > MAX_APPLIED_CHANGES:
            self._applied.popitem(last=False)

    def _drop(self, subject: Subject) -> None:
        kind, subject_id = subject
        self._counts.drops[kind] = self._counts.drops.get(kind, 0) + 1
        if kind is SubjectKind.EVERYTHING:
            self.drop_everything()
            return
        self.clock += 1
        self._drop_times.record(subject, self.clock)
        if kind is SubjectKind.SESSION:
            self._sessions.pop(subject_id)
        elif kind is SubjectKind.USER:
            self._sessions.pop_owner(subject_id)
        else:
            self.tick = self.clock
            self._drop_bodies(kind, subject_id)

    def _drop_bodies(self, kind: SubjectKind, subject_id: int) -> None:
        if kind is SubjectKind.POST:
            self._bodies.pop(subject_id)
        else:
            self._drop_times.record(author(NOBODY), self.clock)
            for owner in (subject_id, NOBODY):
                self._bodies.pop_owner(owner)


@dataclass(slots=True)
class Counts:
    """What has happened since the last report."""

    hits: int = 0
    misses: int = 0
    flushes: int = 0
    reads: int = 0
    """Calls of `bodies_of`, since the start."""
    drops: dict[SubjectKind, int] = field(default_factory=dict)
    size_bytes: int = 0
    """Of all copies, when these counts were taken."""

    def report(self) -> None:
        """Add them to the metrics."""
        metrics.COPY_READS.labels(result="hit").inc(self.hits)
        metrics.COPY_READS.labels(result="miss").inc(self.misses)
        metrics.COPY_FLUSHES.inc(self.flushes)
        metrics.COPY_BYTES.set(self.size_bytes)
        for kind, drops in self.drops.items():
            metrics.COPY_DROPS.labels(subject=kind.name.lower()).inc(drops)
