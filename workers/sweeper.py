"""The sweeper: wakes workers for due events, and clears what has expired.

It stores no state, as the events are in the graph. Several sweepers can run at once.
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
"""Time between two sweeps for due events."""

SHORTEST_PAUSE_SECONDS = 0.5
"""Shortest time between two sweeps, and the time after a sweep that filled a queue: a worker can
empty the queue long before the next full sweep."""

CLEAR_SECONDS = 600.0
"""Time between two rounds of clearing."""

LONGEST_QUEUE = 2_000
"""Jobs in a full queue: about what a worker does within a lease, so that an event is rarely in the
queue twice."""

PAGE = LONGEST_QUEUE // SHARDS
"""Due events read at once for a queue. An empty queue takes this number from each shard."""

UPLOAD_RETENTION = timedelta(days=1)
"""How long an upload may stay incomplete."""

INCOMING_RETENTION = timedelta(days=7)
"""How long an incoming object is stored. Longer than UPLOAD_RETENTION, so that a photo whose event
is in quarantine can still be processed after a requeue."""

NOTIFICATION_RETENTION = timedelta(days=90)
"""How long a notification is stored."""

NOTIFICATION_PAGE = 2_000
"""Old notifications that are deleted at once: they are many, and nothing is attached to them."""

CLEAR_PAGE = 200
"""Expired items of one kind that are cleared at once."""

REMOVAL_SECONDS = 20.0
"""Time after which a round removes no further photo's objects. Otherwise the watchdog would take a
slow S3 for a process that hangs."""

STOP_SECONDS = 5.0
"""How long a stopping sweeper waits for its clearing thread."""


class Sweeper:
    """Sweeps and clears in rounds, and continues through outages of the stores."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        self._storage = storage
        self._steps_in_outage: set[str] = set()
        """Steps whose store is unavailable, so that an outage is logged once."""
        self._unsent_wakes: dict[str, list[Event]] = {}
        """By queue: events that the graph has marked as woken and Redis did not accept."""

    def run(self, stop: threading.Event, watchdog: Watchdog | None = None) -> None:
        """Sweep every few seconds and clear every few minutes, until `stop` is set.

        Clearing has a thread of its own, so that an S3 that hangs does not delay due events.
        """
        clearing = threading.Thread(
            target=self._clear_in_rounds, args=(stop, watchdog), name="clearing", daemon=True
        )
        clearing.start()
        self._sweep_in_rounds(stop, watchdog)
        clearing.join(STOP_SECONDS)

    def _sweep_in_rounds(self, stop: threading.Event, watchdog: Watchdog | None) -> None:
        swept_at = -SWEEP_SECONDS
        queues: list[str] = []
        while not stop.is_set():
            began = time.monotonic()
            if began - swept_at >= SWEEP_SECONDS:
                # In random order: a queue that fails each time must not block the others
                swept_at, queues = began, random.sample(QUEUES, len(QUEUES))
            with watchdog.step() if watchdog else nullcontext():
                queues = self._run_step("sweep", partial(self.sweep, queues), default=[])
            pause = 0.0 if queues else swept_at + SWEEP_SECONDS - time.monotonic()
            stop.wait(max(SHORTEST_PAUSE_SECONDS, pause))

    def _clear_in_rounds(self, stop: threading.Event, watchdog: Watchdog | None) -> None:
        while not stop.is_set():
            more = self.clear(watchdog)
            stop.wait(SWEEP_SECONDS if more else CLEAR_SECONDS)

    def sweep(self, queues: Iterable[str] = QUEUES) -> list[str]:
        """Enqueue jobs for due events into these queues; returns the queues that are now full.

        A full queue can have more due events. Raises GraphUnavailableError,
        StorageUnavailableError.
        """
        return [queue for queue in queues if self._fill_queue(queue)]

    def clear(self, watchdog: Watchdog | None = None) -> bool:
        """Clear a page of each kind of expired items; returns whether there can be more.

        An unavailable store does not block the other kinds.
        """
        now = datetime.now(UTC)
        incoming = self._storage.photos.sweep_incoming
        steps: dict[str, Callable[[], int]] = {
            "photos": lambda: self._clear_photos(first_id_at(now - UPLOAD_RETENTION)),
            "incoming": lambda: incoming(now - INCOMING_RETENTION, CLEAR_PAGE),
            "keys": lambda: self._graph.idempotency_keys.delete_expired(CLEAR_PAGE),
            "sessions": lambda: self._graph.sessions.delete_expired(CLEAR_PAGE),
            "push-subscriptions": lambda: self._graph.push_subscriptions.delete_ended(CLEAR_PAGE),
            "deleted-posts": lambda: self._graph.posts.clear_deleted(CLEAR_PAGE),
            "notifications": lambda: self._graph.notifications.delete_old(
                first_id_at(now - NOTIFICATION_RETENTION), NOTIFICATION_PAGE
            ),
        }
        more = False
        for what, step in steps.items():
            with watchdog.step() if watchdog else nullcontext():
                count = self._run_step(what, step, default=0)
            metrics.SWEPT.labels(what=what).inc(count)
            more = more or count >= CLEAR_PAGE
        return more

    def _fill_queue(self, queue: str) -> bool:
        """Enqueue jobs until the queue is full or no event is due; returns whether it is full.

        Reads no more events than it enqueues, as the read marks them. Goes round the shards, so
        that a backlog in one shard does not block the others.
        """
        room = LONGEST_QUEUE - self._storage.queues.depth(queue)
        room -= self._enqueue(queue, self._unsent_wakes.pop(queue, []))
        kinds = kinds_of(queue)
        shards = random.sample(range(SHARDS), SHARDS)
        while shards and room > 0:
            shard, limit = shards.pop(0), min(PAGE, room)
            events = self._graph.events.select_for_wake(shard, kinds, limit)
            self._enqueue(queue, events)
            room -= len(events)
            if len(events) == limit:
                shards.append(shard)
        return room <= 0

    def _enqueue(self, queue: str, events: list[Event]) -> int:
        """Enqueue a job for each event; returns their number.

        Events that Redis does not accept come first in the next sweep. They are marked as woken, so
        no sweeper would read them again before a lease is over.
        """
        for position, event in enumerate(events):
            try:
                self._storage.queues.enqueue(event)
            except StorageUnavailableError:
                self._unsent_wakes[queue] = events[position:]
                raise
            metrics.SWEEPER_RINGS.labels(kind=event.kind).inc()
        return len(events)

    def _clear_photos(self, before_id: int) -> int:
        """Expire overdue uploads and remove their objects; returns how many uploads were overdue.

        The state changes first, so that an upload completed meanwhile keeps its objects. Objects
        that this leaves behind are removed later with the old incoming objects.
        """
        end = time.monotonic() + REMOVAL_SECONDS
        photos = self._graph.photos.overdue(before_id, CLEAR_PAGE)
        if not photos:
            return 0
        expired = set(self._graph.photos.set_expired([photo.id for photo in photos]))
        for photo in photos:
            if photo.id in expired and time.monotonic() < end:
                self._storage.photos.remove(photo.path)
        return len(photos)

    def _run_step(self, name: str, step: Callable[[], T], *, default: T) -> T:
        """Run the step; returns its result, or `default` if it failed.

        Logs an outage once when it begins and once when it is over.
        """
        try:
            result = step()
        except (GraphUnavailableError, StorageUnavailableError) as error:
            if name not in self._steps_in_outage:
                log.warning("sweeper waits for a store", step=name, error=str(error))
            self._steps_in_outage.add(name)
            return default
        except Exception:
            log.exception("sweeper's step failed", step=name)
            return default
        if name in self._steps_in_outage:
            self._steps_in_outage.remove(name)
            log.info("sweeper goes on", step=name)
        return result
