"""Rebuilds timelines in background threads of an API process, within a bound."""

import queue
import threading
import time
from typing import Protocol

import structlog

from feed.graph_pages import charged
from feed.rebuilding import rebuild
from graph import Graph
from graph.errors import GraphError
from observing import metrics
from storage import Storage
from storage.errors import StorageError

log = structlog.get_logger()


class Rebuilder(Protocol):
    """Builds missing timelines after the response."""

    def schedule(self, user_id: int) -> None:
        """Schedule a rebuild of the user's timeline, or drop it if too many are scheduled."""


class BackgroundRebuilder:
    """A few threads that rebuild the timelines that reads did not find.

    At most `pending` users wait for a thread. A further rebuild is dropped: the next read schedules
    it again, and the graph answers until then. A user is scheduled at most once at a time.
    """

    def __init__(
        self, graph: Graph, storage: Storage, *, threads: int = 2, pending: int = 64
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._queue: queue.Queue[int | None] = queue.Queue(pending)
        self._scheduled: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"rebuilder-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def room(self) -> int:
        """How many users more can be scheduled now."""
        return self._queue.maxsize - self._queue.qsize()

    def schedule(self, user_id: int) -> None:
        """Schedule a rebuild, or drop it if the queue is full. Returns at once."""
        with self._lock:
            if self._closed or user_id in self._scheduled:
                return
            try:
                self._queue.put_nowait(user_id)
            except queue.Full:
                metrics.TIMELINE_REBUILDS.labels(outcome="dropped").inc()
                log.warning("rebuild dropped", user_id=user_id, pending=self._queue.maxsize)
                return
            self._scheduled.add(user_id)

    def close(self, *, seconds: float = 5) -> None:
        """Finish the running rebuilds, for at most `seconds`, and drop the waiting ones."""
        with self._lock:
            self._closed = True
        self._empty()
        end = time.monotonic() + seconds
        for _ in self._threads:
            self._queue.put(None, timeout=seconds)
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))

    def _empty(self) -> None:
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return

    def _work(self) -> None:
        while (user_id := self._queue.get()) is not None:
            self._rebuild(user_id)
            with self._lock:
                self._scheduled.discard(user_id)

    def _rebuild(self, user_id: int) -> None:
        """Run one rebuild, at the user's cost. Logs every error, so that the thread continues."""
        try:
            with charged(self._storage.limits, user_id):
                rebuild(self._graph, self._storage, user_id)
        except (GraphError, StorageError) as error:
            log.warning("rebuild failed", user_id=user_id, error=str(error))
        except Exception:
            log.exception("rebuild failed", user_id=user_id)
