"""The sweeper: rings again for what is due, and clears what has expired.

It needs no memory and no twin: what is owed stands in the graph, and two sweepers do no harm.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import SHARDS, Event
from graph.ids import first_id_at
from storage import Storage
from storage.errors import StorageUnavailableError
from storage.queues import QUEUE_OF_KIND
from workers import metrics
from workers.watchdog import Watchdog

log = structlog.get_logger()

SWEEP_SECONDS = 5.0
"""How often it looks for what is due."""

SHORTEST_PAUSE_SECONDS = 0.5
"""Between two sweeps, however long the first took."""

CLEAR_SECONDS = 600.0
"""How often it clears what has expired."""

LONGEST_QUEUE = 2_000
"""Jobs beyond which a queue is not rung: about what a worker does within a lease, so that an
event is hardly ever in the queue twice."""

PAGE = 500
PAGES_A_SHARD = 20
"""Due events read at once, and how many pages of them a sweep looks through."""

UPLOAD_KEPT = timedelta(days=1)
"""How long an upload may stay unfinished."""

INCOMING_KEPT = timedelta(days=7)
"""How long anything may lie in the way in: longer than an upload, so that one whose event is in
quarantine can still be processed when it is requeued."""

CLEAR_PAGE = 200
"""Expired things of one kind cleared between two sweeps: those must not wait."""


class Sweeper:
    """Rings and clears, round after round, whatever state the stores are in."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        self._storage = storage
        self._away: set[str] = set()

    def run(self, stop: threading.Event, watchdog: Watchdog | None = None) -> None:
        """Sweep every few seconds, and clear now and then, until `stop` is set."""
        cleared_at = -CLEAR_SECONDS
        more = False
        while not stop.is_set():
            began = time.monotonic()
            with watchdog.step() if watchdog else nullcontext():
                self._guarded("sweep", self.sweep)
                if more or began - cleared_at >= CLEAR_SECONDS:
                    cleared_at, more = began, self.clear()
            stop.wait(max(SHORTEST_PAUSE_SECONDS, SWEEP_SECONDS - (time.monotonic() - began)))

    def sweep(self) -> int:
        """Ring for every event that is due, where its queue has room; how many were rung.

        Raises GraphUnavailableError, StorageUnavailableError.
        """
        room = self._room()
        rung = 0
        for shard in random.sample(range(SHARDS), SHARDS):  # a backlog favours none
            if not any(left > 0 for left in room.values()):
                break
            rung += self._sweep_shard(shard, room)
        return rung

    def clear(self) -> bool:
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
        cleared = {what: self._guarded(what, step) for what, step in steps.items()}
        for what, count in cleared.items():
            metrics.SWEPT.labels(what=what).inc(count)
        return any(count >= CLEAR_PAGE for count in cleared.values())

    def _room(self) -> dict[str, int]:
        """Jobs that may still be put into each queue."""
        names = set(QUEUE_OF_KIND.values())
        return {name: LONGEST_QUEUE - self._storage.queues.depth(name) for name in names}

    def _sweep_shard(self, shard: int, room: dict[str, int]) -> int:
        rung = 0
        for _ in range(PAGES_A_SHARD):
            events = self._graph.events.due(shard, PAGE)
            rung += sum(self._ring(event, room) for event in events)
            if len(events) < PAGE:
                break
        return rung

    def _ring(self, event: Event, room: dict[str, int]) -> bool:
        """Whether there was room to ring for the event."""
        queue = QUEUE_OF_KIND.get(event.kind)
        if queue is None:  # of a newer version of ours: its sweeper knows what to do
            log.warning("event of an unknown kind", event_id=event.id, kind=event.kind)
            return False
        if room[queue] <= 0:
            return False
        room[queue] -= 1
        self._storage.queues.send(event)
        metrics.SWEEPER_RINGS.labels(kind=event.kind).inc()
        return True

    def _clear_photos(self, before_id: int) -> int:
        """Uploads never completed: the state first, so that none completed meanwhile is touched.

        Objects left by a death in between go with what lies in the way in.
        """
        photos = self._graph.photos.overdue(before_id, CLEAR_PAGE)
        if not photos:
            return 0
        expired = set(self._graph.photos.set_expired([photo.id for photo in photos]))
        for photo in photos:
            if photo.id in expired:
                self._storage.photos.remove(photo.path)
        return len(photos)

    def _guarded(self, what: str, step: Callable[[], int]) -> int:
        """What the step returns, 0 if it failed.

        An outage is said once when it begins and once when it is over.
        """
        try:
            count = step()
        except (GraphUnavailableError, StorageUnavailableError) as error:
            if what not in self._away:
                log.warning("sweeper waits for a store", step=what, error=str(error))
            self._away.add(what)
            return 0
        except Exception:
            log.exception("sweeper's step failed", step=what)
            return 0
        if what in self._away:
            self._away.remove(what)
            log.info("sweeper goes on", step=what)
        return count
