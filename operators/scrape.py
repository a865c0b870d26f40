"""Numbers of the stores, read at each request of the admin app and within a deadline."""

from collections.abc import Callable, Iterator, Mapping
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
from graph.event_kinds import EXPORTS, QUEUES
from observing.metric_files import settled
from observing.probes import Probes
from storage import Storage
from storage.errors import StorageError

DEADLINE_SECONDS = 3.0
"""For all stores together. A store that answers later counts as down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The stores' answers. The number of a store that did not answer is absent or None."""

    up: dict[str, bool]
    depths: dict[str, int]
    """Jobs by queue."""
    events: dict[str, int]
    """Events by state."""
    oldest_due_seconds: float | None
    oldest_owed_seconds: float | None
    oldest_export_seconds: float | None


class Scrape:
    """Probes of all stores, in parallel."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        probes: dict[str, Callable[[], Any]] = {
            "neo4j": graph.ping,
            "queue": storage.ping_queue,
            "cache": storage.ping_cache,
            "s3": storage.photos.ping,
            "events": graph.events.counts,
            "oldest due": graph.events.oldest_due_seconds,
            "oldest owed": graph.events.oldest_owed_seconds,
            "oldest export": partial(graph.events.oldest_due_seconds, [EXPORTS]),
            **{f"depth:{name}": partial(storage.queues.depth, name) for name in QUEUES},
        }
        self._probes = Probes(probes, threads_name="scrape")

    def snapshot(self) -> Snapshot:
        """The stores' numbers now, at the latest after DEADLINE_SECONDS."""
        futures = self._probes.futures()
        wait(futures.values(), timeout=DEADLINE_SECONDS)
        answers = {name: future for name, future in futures.items() if has_answer(future)}
        return Snapshot(
            up={name: name in answers for name in ("neo4j", "queue", "cache", "s3")},
            depths={
                name: answers[f"depth:{name}"].result()
                for name in QUEUES
                if f"depth:{name}" in answers
            },
            events=answers["events"].result() if "events" in answers else {},
            oldest_due_seconds=_result(answers, "oldest due"),
            oldest_owed_seconds=_result(answers, "oldest owed"),
            oldest_export_seconds=_result(answers, "oldest export"),
        )


def _result(answers: Mapping[str, Future[Any]], name: str) -> Any:
    """The answer of a probe; None without one."""
    return answers[name].result() if name in answers else None


def has_answer(future: Future[Any]) -> bool:
    """Whether the store answered in time. Raises errors that are not a store's."""
    if not future.done():
        return False
    error = future.exception()
    if error is not None and not isinstance(error, GraphError | StorageError):
        raise error
    return error is None


class StoresCollector(Collector):
    """The stores' numbers as gauges, read at each scrape."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing, so that the registration does not read the stores."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Whether each store is up, and the gauges of those that are."""
        snapshot = self._scrape.snapshot()
        yield _gauge("photofeed_store_up", "1 when the store answered.", "store", snapshot.up)
        yield _gauge(
            "photofeed_queue_jobs", "Jobs that wait in the queue.", "queue", snapshot.depths
        )
        yield _gauge(
            "photofeed_events",
            "Events in the graph: due now, waiting for their time or lease, in quarantine.",
            "state",
            snapshot.events,
        )
        if snapshot.oldest_due_seconds is not None:
            yield GaugeMetricFamily(
                "photofeed_oldest_due_event_seconds",
                "How long the oldest due event has been due; 0 without one.",
                value=snapshot.oldest_due_seconds,
            )
        if snapshot.oldest_owed_seconds is not None:
            yield GaugeMetricFamily(
                "photofeed_oldest_owed_event_seconds",
                "The age of the oldest event since it was first due; 0 without one.",
                value=snapshot.oldest_owed_seconds,
            )
        if snapshot.oldest_export_seconds is not None:
            yield GaugeMetricFamily(
                "photofeed_oldest_export_seconds",
                "How long the oldest export has waited for its turn; 0 without one.",
                value=snapshot.oldest_export_seconds,
            )


class LiveProcessCollector(MultiProcessCollector):
    """The metrics of all processes, with the gauges of those alone that still run."""

    def collect(self) -> Any:
        """Archive the files of processes that have ended, then add up."""
        with settled(Path(self._path)) as files:
            return self.merge([str(file) for file in files])  # type: ignore[no-untyped-call]


def registry(scrape: Scrape, metrics_dir: Path | None) -> CollectorRegistry:
    """The metrics of /metrics: the stores' gauges and the counters of our processes."""
    metrics = CollectorRegistry()
    if metrics_dir is not None:
        metrics_dir.mkdir(parents=True, exist_ok=True)  # this can be the first process
        with settled(metrics_dir):
            pass  # where nobody scrapes, the files are archived at each start at least
        LiveProcessCollector(metrics, str(metrics_dir))  # type: ignore[no-untyped-call]
    metrics.register(StoresCollector(scrape))
    return metrics


def _gauge(
    name: str, documentation: str, label: str, values: Mapping[str, float]
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, documentation, labels=[label])
    for label_value, value in values.items():
        gauge.add_metric([label_value], float(value))
    return gauge
