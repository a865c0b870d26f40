"""Readiness of this process: one probe for each store, in parallel, with one deadline for all."""

from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any

from graph import Graph
from graph.errors import GraphError
from graph.ids import CLOCK_TOLERANCE_MS
from observing.probes import Probes
from storage import Storage
from storage.errors import StorageError

_TIMEOUT_SECONDS = 3.0
"""A store that has not answered by then counts as down."""

_REMEMBERED_SECONDS = 1.0
"""How long an answer stands: many load balancers may ask, of many processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The checks of `/readyz`."""

    ready: bool
    status: str
    """`ok`, `degraded` or `unavailable`."""
    neo4j: str
    """`ok` or the reason why not, in a few words; so are the other three stores."""
    queue: str
    cache: str
    s3: str
    oldest_event_seconds: float | None


class HealthChecks:
    """Probes of the stores, shared by requests that run at the same time.

    A probe that hangs occupies one thread, however many requests wait for it, and delays no other
    probe.
    """

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph = graph
        self._probes = Probes(
            {
                "neo4j": self._probe_neo4j,
                "queue": storage.ping_queue,
                "cache": storage.ping_cache,
                "s3": storage.photos.ping,
                "oldest": graph.events.oldest_due_seconds,
            },
            threads_name="health",
            remembered_seconds=_REMEMBERED_SECONDS,
        )

    def check(self) -> Health:
        """The health now.

        `unavailable`, not ready: neither the graph nor the cache answers, so no feed can be served.
        `degraded`, ready: something is down, or this machine's clock is off. Then cached feeds
        still are served, and a load balancer must not take them from everybody.
        """
        deadline = monotonic() + _TIMEOUT_SECONDS
        answers = self._probes.futures()
        oldest = answers.pop("oldest")
        states = {store: _state(answer, deadline) for store, answer in answers.items()}
        ready = "ok" in (states["neo4j"], states["cache"])
        all_ok = all(state == "ok" for state in states.values())
        return Health(
            ready=ready,
            status="ok" if all_ok else "degraded" if ready else "unavailable",
            oldest_event_seconds=_seconds(oldest, deadline),
            **states,
        )

    def _probe_neo4j(self) -> str | None:
        """None, or how far the clock is off."""
        self._graph.ping()
        offset = self._graph.clock_offset_seconds()
        return None if abs(offset) * 1000 <= CLOCK_TOLERANCE_MS else f"clock off by {offset:+.1f} s"


def _state(answer: Future[Any], deadline: float) -> str:
    """`ok`, or in a few words what is wrong."""
    try:
        return str(answer.result(timeout=max(0, deadline - monotonic())) or "ok")
    except TimeoutError:
        return "no answer in time"
    except (GraphError, StorageError):
        return "unavailable"


def _seconds(answer: Future[float], deadline: float) -> float | None:
    try:
        return round(answer.result(timeout=max(0, deadline - monotonic())), 3)
    except (TimeoutError, GraphError, StorageError):
        return None
