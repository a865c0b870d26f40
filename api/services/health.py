"""Whether this process can do its work, asked of each store at once and within a bound."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from time import monotonic
from typing import Any

from graph import Graph
from graph.errors import GraphError
from graph.ids import CLOCK_TOLERANCE_MS
from observing.probes import Probes
from storage import Storage
from storage.errors import StorageError

_PATIENCE_SECONDS = 3.0
"""What has not answered by then counts as down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What `/readyz` says."""

    ready: bool
    status: str
    neo4j: str
    queue: str
    cache: str
    s3: str
    oldest_event_seconds: float | None


class HealthChecks:
    """Asks the stores side by side; probes at the same time share what is being asked.

    So a check that hangs holds one thread, however many probes come, and no other check.
    """

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        questions = {
            "neo4j": self._neo4j,
            "queue": storage.ping_queue,
            "cache": storage.ping_cache,
            "s3": storage.photos.ping,
            "oldest": graph.events.oldest_due_seconds,
        }
        self._probes = Probes(questions, threads_name="health")

    def check(self) -> Health:
        """How things are now.

        Without the graph, or with a clock that is off, this process serves nobody well: not ready.
        Without the cache or a queue it does: degraded.
        """
        until = monotonic() + _PATIENCE_SECONDS
        asked = self._probes.answers()
        oldest = asked.pop("oldest")
        said = {part: _said(future, until) for part, future in asked.items()}
        ready = said["neo4j"] == "ok"
        well = all(word == "ok" for word in said.values())
        return Health(
            ready=ready,
            status="ok" if well else "degraded" if ready else "unavailable",
            oldest_event_seconds=_answer(oldest, until),
            **said,
        )

    def _neo4j(self) -> str | None:
        self._graph.ping()
        offset = self._graph.clock_offset_seconds()
        return None if abs(offset) * 1000 <= CLOCK_TOLERANCE_MS else f"clock off by {offset:+.1f} s"


def _said(future: "Future[Any]", until: float) -> str:
    """`ok`, or in a few words what is wrong."""
    try:
        return str(future.result(timeout=max(0, until - monotonic())) or "ok")
    except TooLate:
        return "no answer in time"
    except (GraphError, StorageError):
        return "unavailable"


def _answer(future: "Future[float]", until: float) -> float | None:
    try:
        return round(future.result(timeout=max(0, until - monotonic())), 3)
    except (TooLate, GraphError, StorageError):
        return None
