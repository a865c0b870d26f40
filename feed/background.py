"""Timelines built in the background of an API process, within a bound."""

import queue
import threading
import time
from typing import Protocol

import structlog

from feed.rebuilding import rebuild
from graph import Graph
from graph.errors import GraphError
from observing import metrics
from storage import Storage
from storage.errors import StorageError

log = structlog.get_logger()


class Rebuilder(Protocol):
    """Builds missing timelines behind the answers, bounded."""

    def ask(self, user_id: int) -> None:
        """Have the user's timeline built soon, or not at all when too many wait."""


class BackgroundRebuilder:
    """A few threads that rebuild the timelines which reads have missed.

    What is asked for beyond `pending` is dropped: the next read asks again, and until then the
    graph answers. A user is asked for and built once at a time.
    """

    def __init__(
        self, graph: Graph, storage: Storage, *, threads: int = 2, pending: int = 64
    ) -> None:
        self._graph = graph
        self._storage = storage
        self._queue: queue.Queue[int | None] = queue.Queue(pending)
        self._asked: set[int] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"rebuilder-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, user_id: int) -> None:
        """Have the user's timeline built soon; returns at once, promises nothing."""
        with self._lock:
            if self._closed or user_id in self._asked:
                return
            try:
                self._queue.put_nowait(user_id)
            except queue.Full:
                metrics.TIMELINE_REBUILDS.labels(outcome="dropped").inc()
                log.warning("rebuild dropped", user_id=user_id, pending=self._queue.maxsize)
                return
            self._asked.add(user_id)

    def close(self, *, seconds: float = 5) -> None:
        """Stop after the rebuilds under way, at most `seconds` from now; what waits is dropped."""
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
                self._asked.discard(user_id)

    def _rebuild(self, user_id: int) -> None:
        """One rebuild; whatever goes wrong, the thread lives on."""
        try:
            rebuild(self._graph, self._storage, user_id)
        except (GraphError, StorageError) as error:
            log.warning("rebuild failed", user_id=user_id, error=str(error))
        except Exception:
            log.exception("rebuild failed", user_id=user_id)
