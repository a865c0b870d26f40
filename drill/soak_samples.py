"""What a soak looks at: the number of everything that is cleared, and the size of processes."""

import itertools
import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from drill.stage.stage import DrillStage, storage_settings
from graph.errors import GraphError
from graph.queries import Query
from storage.errors import StorageError
from storage.redis.protocol import pack
from storage.s3 import S3Circuit, open_client

MOST_GROWTH = 1.2
"""The last quarter's median by that of the second one. Both have all lives behind them."""
QUARTERS = 4
S3_SECONDS = 10.0

COUNTS = Query(
    name="drill/counts",
    summary="the number of nodes and relationships that are cleared.",
    text=(
        "RETURN {`idempotency keys`: COUNT { (:IdempotencyKey) },"
        " `deleted posts`: COUNT { (:DeletedPost) },"
        " sessions: COUNT { (:Session) },"
        " `push subscriptions`: COUNT { (:PushSubscription) },"
        " notifications: COUNT { (:Notification) },"
        " `events in all`: COUNT { (:Event) },"
        " `events in quarantine`: COUNT { (:Quarantined) },"
        " `follows that end`: COUNT { ()-[:LEFT]->() },"
        " `photos without a post`:"
        " COUNT { (photo:Photo) WHERE photo.unposted_until >= 0 },"
        " `photos with objects due`:"
        " COUNT { (photo:Photo) WHERE photo.objects_until >= 0 },"
        " exports: COUNT { (:Export) },"
        " reports: COUNT { (:Report) },"
        " `reported posts and users`: COUNT { (:ReportedSubject) },"
        " `accounts to be deleted`:"
        " COUNT { (user:User) WHERE user.state IN ['leaving', 'deleting'] },"
        " `names of deleted accounts`:"
        " COUNT { (user:User) WHERE user.name_free_at IS NOT NULL }} AS counts"
    ),
    parameters={},
    returns=("counts",),
    index=(),
    sorts="",
    expands="",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How much a kind may grow by chance, in its own unit."""

    slack: float
    unit: str = ""


NODES = Bound(slack=100)
MEMORY = Bound(slack=48, unit=" MB")
DATA = Bound(slack=8, unit=" MB")
FILES = Bound(slack=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One kind over the soak: the median of each quarter."""

    name: str
    quarters: Sequence[float]
    bound: Bound

    @property
    def grows(self) -> bool:
        """Whether the last quarter is above the second one by more than chance."""
        second, last = self.quarters[1], self.quarters[3]
        return last > second * MOST_GROWTH and last > second + self.bound.slack

    def __str__(self) -> str:
        """A line of the report."""
        numbers = "".join(f"{number:>11,.0f}{self.bound.unit}" for number in self.quarters)
        return f"{self.name:<34}{numbers}  {'GROWS' if self.grows else ''}".rstrip()


class Samples:
    """The samples of a stage, by kind, in the order of time."""

    def __init__(self, stage: DrillStage) -> None:
        self._stage = stage
        self._bounds: dict[str, Bound] = {}
        self._values: dict[str, list[float]] = {}
        self._settings = storage_settings(stage.env)
        self._s3 = open_client(self._settings, read_seconds=S3_SECONDS, attempts=3)

    def take(self) -> None:
        """Sample everything now. On a busy machine a store may not answer in time: then nothing."""
        try:
            sampled = list(self._now())
        except (GraphError, StorageError, redis.RedisError) as error:
            print(f"no sample: {error}", flush=True)
            return
        for name, value, bound in sampled:
            self._bounds[name] = bound
            self._values.setdefault(name, []).append(value)

    def latest(self, name: str) -> float:
        """The last value of a kind; 0 without a sample."""
        return self._values.get(name, [0.0])[-1]

    def trends(self) -> list[Trend]:
        """Every kind with its quarters; none before four samples."""
        return [
            Trend(name=name, quarters=quarters(values), bound=self._bounds[name])
            for name, values in self._values.items()
            if len(values) >= QUARTERS
        ]

    def _now(self) -> Iterator[tuple[str, float, Bound]]:
        [row] = self._stage.graph.connection.read(COUNTS)
        for name, count in row["counts"].items():
            yield name, count, NODES
        yield "events due", self._stage.graph.events.counts()["due"], NODES
        yield "jobs in queues", self._stage.queued_jobs(), NODES
        yield "uploads in S3", self._objects("incoming/"), NODES
        yield "parts of exports in S3", self._objects("exports/"), NODES
        yield "keys of the queue's server", *self._queue_keys()
        yield "data of the cache", self._cache_bytes() / 1_000_000, DATA
        yield from self._processes()
        metrics = Path(self._stage.env["PROMETHEUS_MULTIPROC_DIR"])
        yield "files of metrics", len(list(metrics.iterdir())), FILES

    def _objects(self, prefix: str) -> int:
        """The number of objects in S3 whose names begin so."""
        with S3Circuit("s3").guard():  # its errors are ours
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._settings.s3_bucket, Prefix=prefix
            )
            return sum(page["KeyCount"] for page in pages)

    def _queue_keys(self) -> tuple[float, Bound]:
        [count] = self._stage.storage.queue.execute([pack(b"DBSIZE")])
        return count, NODES

    def _cache_bytes(self) -> int:
        """What the server has allocated. Its process has more: the allocator keeps freed memory."""
        return int(self._stage.storage.cache.client.info("memory")["used_memory"])

    def _processes(self) -> Iterator[tuple[str, float, Bound]]:
        """The memory and the descriptors of each of our processes and of both Redis servers."""
        for name in (*self._stage.process_names, "queue", "cache"):
            memory, files = 0, 0
            for pid in self._stage.pids(name):
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    memory += process.memory_info().rss
                    files += process.num_fds()
            yield f"memory of {name}", memory / 1_000_000, MEMORY
            yield f"descriptors of {name}", files, FILES


def quarters(values: Sequence[float]) -> list[float]:
    """The median of each quarter of the values, of which there are four or more."""
    count = len(values)
    edges = [count * part // QUARTERS for part in range(QUARTERS + 1)]
    return [statistics.median(values[low:high]) for low, high in itertools.pairwise(edges)]
