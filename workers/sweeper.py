"""The sweeper: rings again for what is due, and clears what has expired.

It needs no memory and no twin: what is owed stands in the graph, and two sweepers do no harm.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.event_kinds import QUEUES, kinds_of
from graph.events import SHARDS, Event
from graph.ids import first_id_at
from observing import metrics
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.watchdog import Watchdog

T = TypeVar("T")

log = structlog.get_logger()

SWEEP_SECONDS = 5.0
"""How often it looks for what is due."""

SHORTEST_PAUSE_SECONDS = 0.5
"""Between two sweeps, however long the first took, and after one that filled a queue: a worker may
be through with it long before the next full sweep."""

CLEAR_SECONDS = 600.0
"""How often it clears what has expired."""

LONGEST_QUEUE = 2_000
"""Jobs beyond which a queue is not rung: about what a worker does within a lease, so that an
event is hardly ever in the queue twice."""

PAGE = LONGEST_QUEUE // SHARDS
"""Due events read at once for one queue: an empty one takes as many from each shard."""

UPLOAD_KEPT = timedelta(days=1)
"""How long an upload may stay unfinished."""

INCOMING_KEPT = timedelta(days=7)
"""How long anything may lie in the way in: longer than an upload, so that one whose event is in
quarantine can still be processed when it is requeued."""

CLEAR_PAGE = 200
"""Expired things of one kind cleared at once."""

REMOVING_SECONDS = 20.0
"""After which no further photo's objects are removed at once: an S3 that is slow over each must not
look like a process that hangs."""

STOP_SECONDS = 5.0
"""How long a sweeper that is told to stop waits for its clearing."""


class Sweeper:
    """Rings and clears, round after round, whatever state the stores are in."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        self._storage = storage
        self._away: set[str] = set()
        self._unsent: dict[str, list[Event]] = {}
        """By queue: marked as rung, and then Redis did not take the ring."""

    def run(self, stop: threading.Event, watchdog: Watchdog | None = None) -> None:
        """Sweep every few seconds, and clear now and then, until `stop` is set.

        Clearing has a thread of its own: an S3 that hangs must not hold up what is due.
        """
        clearing = threading.Thread(
            target=self._keep_clearing, args=(stop, watchdog), name="clearing", daemon=True
        )
        clearing.start()
        self._keep_sweeping(stop, watchdog)
        clearing.join(STOP_SECONDS)

    def _keep_sweeping(self, stop: threading.Event, watchdog: Watchdog | None) -> None:
        swept_at = -SWEEP_SECONDS
        full: list[str] = []
        while not stop.is_set():
            began = time.monotonic()
            if began - swept_at >= SWEEP_SECONDS:
                # In any order: one that fails each time must not keep the others from their turn
                swept_at, full = began, random.sample(QUEUES, len(QUEUES))
            with watchdog.step() if watchdog else nullcontext():
                full = self._guarded("sweep", partial(self.sweep, full), otherwise=[])
            left = 0.0 if full else swept_at + SWEEP_SECONDS - time.monotonic()
            stop.wait(max(SHORTEST_PAUSE_SECONDS, left))

    def _keep_clearing(self, stop: threading.Event, watchdog: Watchdog | None) -> None:
        while not stop.is_set():
            more = self.clear(watchdog)
            stop.wait(SWEEP_SECONDS if more else CLEAR_SECONDS)

    def sweep(self, queues: Iterable[str] = QUEUES) -> list[str]:
        """Ring these queues for what is due, as far as they have room; those that are full now.

        For a full one there may be more. Raises GraphUnavailableError, StorageUnavailableError.
        """
        return [queue for queue in queues if self._fill(queue)]

    def clear(self, watchdog: Watchdog | None = None) -> bool:
        """Clear a page of each kind of what has expired; whether there may be more.

        One store being away does not hold up the rest.
        """
        now = datetime.now(UTC)
        incoming = self._storage.photos.sweep_incoming
        steps: dict[str, Callable[[], int]] = {
            "photos": lambda: self._clear_photos(first_id_at(now - UPLOAD_KEPT)),
            "incoming": lambda: incoming(now - INCOMING_KEPT, CLEAR_PAGE),
            "keys": lambda: self._graph.idempotency_keys.delete_expired(CLEAR_PAGE),
            "sessions": lambda: self._graph.sessions.delete_expired(CLEAR_PAGE),
            "deleted-posts": lambda: self._graph.posts.clear_deleted(CLEAR_PAGE),
        }
        more = False
        for what, step in steps.items():
            with watchdog.step() if watchdog else nullcontext():
                count = self._guarded(what, step, otherwise=0)
            metrics.SWEPT.labels(what=what).inc(count)
            more = more or count >= CLEAR_PAGE
        return more

    def _fill(self, queue: str) -> bool:
        """Whether the queue is full after this.

        Only as many events are read as are then rung: reading marks them. Shards take turns, so
        that a backlog in one favours none.
        """
        room = LONGEST_QUEUE - self._storage.queues.depth(queue)
        room -= self._ring(queue, self._unsent.pop(queue, []))
        kinds = kinds_of(queue)
        shards = random.sample(range(SHARDS), SHARDS)
        while shards and room > 0:
            shard, limit = shards.pop(0), min(PAGE, room)
            events = self._graph.events.due(shard, kinds, limit)
            self._ring(queue, events)
            room -= len(events)
            if len(events) == limit:
                shards.append(shard)
        return room <= 0

    def _ring(self, queue: str, events: list[Event]) -> int:
        """Ring for these; how many. What Redis does not take is rung first the next time.

        It is marked as rung, so that nobody else would ring for it before a lease is over.
        """
        for done, event in enumerate(events):
            try:
                self._storage.queues.enqueue(event)
            except StorageUnavailableError:
                self._unsent[queue] = events[done:]
                raise
            metrics.SWEEPER_RINGS.labels(kind=event.kind).inc()
        return len(events)

    def _clear_photos(self, before_id: int) -> int:
        """Uploads never completed: the state first, so that none completed meanwhile is touched.

        Objects left by a death in between, or for want of time, go with what lies in the way in.
        """
        end = time.monotonic() + REMOVING_SECONDS
        photos = self._graph.photos.overdue(before_id, CLEAR_PAGE)
        if not photos:
            return 0
        expired = set(self._graph.photos.set_expired([photo.id for photo in photos]))
        for photo in photos:
            if photo.id in expired and time.monotonic() < end:
                self._storage.photos.remove(photo.path)
        return len(photos)

    def _guarded(self, what: str, step: Callable[[], T], *, otherwise: T) -> T:
        """What the step returns, `otherwise` if it failed.

        An outage is said once when it begins and once when it is over.
        """
        try:
            result = step()
        except (GraphUnavailableError, StorageUnavailableError) as error:
            if what not in self._away:
                log.warning("sweeper waits for a store", step=what, error=str(error))
            self._away.add(what)
            return otherwise
        except Exception:
            log.exception("sweeper's step failed", step=what)
            return otherwise
        if what in self._away:
            self._away.remove(what)
            log.info("sweeper goes on", step=what)
        return result
