"""The sweeper: rings for shards with due events, and clears what has expired.

It stores no state, as the events are in the graph. Several sweepers can run at once.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from observing import metrics
from storage import Storage
from storage.errors import StorageUnavailableError
from workers import clearing
from workers.watchdog import Watchdog

T = TypeVar("T")

log = structlog.get_logger()

SWEEP_SECONDS = 5.0
"""Time between two sweeps for due events."""

CLEAR_SECONDS = 600.0
"""Time between two rounds of clearing."""

STEP_SECONDS = 5.0
"""Time of one clearing step. What is left is cleared in the next round, which begins soon."""

STOP_SECONDS = 5.0
"""How long a stopping sweeper waits for its clearing thread."""


class Sweeper:
    """Sweeps and clears in rounds, and continues through outages of the stores."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        self._storage = storage
        self._steps_in_outage: set[str] = set()
        """Steps whose store is unavailable, so that an outage is logged once."""

    def run(self, stop: threading.Event, watchdog: Watchdog | None = None) -> None:
        """Sweep every few seconds and clear every few minutes, until `stop` is set.

        Clearing has a thread of its own, so that an S3 that hangs does not delay due events.
        """
        thread = threading.Thread(
            target=self._clear_in_rounds, args=(stop, watchdog), name="clearing", daemon=True
        )
        thread.start()
        self._sweep_in_rounds(stop, watchdog)
        thread.join(STOP_SECONDS)

    def _sweep_in_rounds(self, stop: threading.Event, watchdog: Watchdog | None) -> None:
        while not stop.is_set():
            began = time.monotonic()
            for name, step in (("adopt", self._graph.events.adopt), ("sweep", self.sweep)):
                with watchdog.step() if watchdog else nullcontext():
                    self._run_step(name, step, default=0)
            stop.wait(max(0.0, began + SWEEP_SECONDS - time.monotonic()))

    def _clear_in_rounds(self, stop: threading.Event, watchdog: Watchdog | None) -> None:
        while not stop.is_set():
            more = self.clear(watchdog)
            stop.wait(SWEEP_SECONDS if more else CLEAR_SECONDS)

    def sweep(self) -> int:
        """Ring for each shard with events that have been due for a second; returns how many rang.

        A shard whose bell was rung within a lease is left out, as its job may still wait. A queue
        that takes no job does not keep the others from theirs. Raises GraphUnavailableError, and
        StorageUnavailableError after the last shard.
        """
        rung, refused = 0, None
        shards = self._graph.events.due_shards()
        for due in random.sample(shards, len(shards)):
            try:
                rings = self._storage.queues.ring_due(due.queue, due.shard, due=due.count)
            except StorageUnavailableError as error:
                refused = error
                continue
            if rings:
                rung += 1
                metrics.SWEEPER_RINGS.labels(queue=due.queue).inc()
        if refused:
            raise refused
        return rung

    def clear(self, watchdog: Watchdog | None = None) -> bool:
        """Clear expired items, each kind for some seconds; returns whether there can be more.

        A step that fails or takes its whole time keeps no other from its own. A step that another
        sweeper does now is left out.
        """
        more = False
        for what, step in clearing.steps(self._graph, self._storage):
            if not self._storage.queues.begin_step(what):
                continue
            until = time.monotonic() + STEP_SECONDS
            with watchdog.step() if watchdog else nullcontext():
                count = self._run_step(what, partial(step, until), default=0)
            metrics.SWEPT.labels(what=what).inc(count)
            more = more or time.monotonic() > until
            self._storage.queues.end_step(what)
        return more

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
