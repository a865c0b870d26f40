"""What the operators' app learns from the stores at the moment it is asked, in bounded time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from graph import Graph
from graph.errors import GraphError
from graph.event_kinds import QUEUES
from observing.probes import Probes
from storage import Storage
from storage.errors import StorageError

DEADLINE_SECONDS = 3.0
"""A page of numbers waits this long for all stores together; who is later counts as down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the stores answered; what they did not answer is absent or None."""

    up: dict[str, bool]
    depths: dict[str, int]
    events: dict[str, int]
    oldest_due_seconds: float | None


class Scrape:
    """Asks every store at once and waits for none beyond the deadline."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        questions: dict[str, Callable[[], Any]] = {
            "neo4j": graph.ping,
            "queue": storage.ping_queue,
            "cache": storage.ping_cache,
            "s3": storage.photos.ping,
            "events": graph.events.counts,
            "oldest": graph.events.oldest_due_seconds,
            **{f"depth:{name}": partial(storage.queues.depth, name) for name in QUEUES},
        }
        self._probes = Probes(questions, threads_name="scrape")

    def look(self) -> Seen:
        """What each store says now. A store that is down or slow breaks nothing."""
        asked = self._probes.answers()
        wait(asked.values(), timeout=DEADLINE_SECONDS)
        answered = {name: answer for name, answer in asked.items() if succeeded(answer)}
        return Seen(
            up={name: name in answered for name in ("neo4j", "queue", "cache", "s3")},
            depths={
                name: answered[f"depth:{name}"].result()
                for name in QUEUES
                if f"depth:{name}" in answered
            },
            events=answered["events"].result() if "events" in answered else {},
            oldest_due_seconds=answered["oldest"].result() if "oldest" in answered else None,
        )


def succeeded(asked: Future[Any]) -> bool:
    """Whether the store answered in time. Raises what is not a store's failure."""
    if not asked.done():
        return False
    error = asked.exception()
    if error is not None and not isinstance(error, GraphError | StorageError):
        raise error
    return error is None


class StoresCollector(Collector):
    """The stores' numbers as gauges, read at each scrape."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: registering it must not ask the stores."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge whose store answered, and for each store whether it did."""
        seen = self._scrape.look()
        up = GaugeMetricFamily("photofeed_store_up", "1 when the store answered.", labels=["store"])
        for store, answered in seen.up.items():
            up.add_metric([store], float(answered))
        yield up
        depth = GaugeMetricFamily(
            "photofeed_queue_jobs", "Jobs that wait in the queue.", labels=["queue"]
        )
        for queue, jobs in seen.depths.items():
            depth.add_metric([queue], jobs)
        yield depth
        events = GaugeMetricFamily(
            "photofeed_events",
            "Events in the graph: due now, waiting for their time or lease, in quarantine.",
            labels=["state"],
        )
        for state, count in seen.events.items():
            events.add_metric([state], count)
        yield events
        if seen.oldest_due_seconds is not None:
            yield GaugeMetricFamily(
                "photofeed_oldest_due_event_seconds",
                "How long the oldest due event has been due; 0 without one.",
                value=seen.oldest_due_seconds,
            )


def registry(scrape: Scrape, metrics_dir: Path | None) -> CollectorRegistry:
    """What /metrics shows: the stores' gauges and what our processes have counted."""
    metrics = CollectorRegistry()
    if metrics_dir is not None:
        metrics_dir.mkdir(parents=True, exist_ok=True)  # the first process may be this one
        MultiProcessCollector(metrics, str(metrics_dir))  # type: ignore[no-untyped-call]
    metrics.register(StoresCollector(scrape))
    return metrics
