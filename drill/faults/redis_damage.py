"""Faults of Redis: keys, jobs and files of the two servers are deleted, changed or replaced."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import TypeVar

import redis
from rq import Queue
from rq.serializers import JSONSerializer

from drill.faults.fault import Apply, Facts
from drill.stage.programs import WORKERS
from drill.stage.stage import QUEUE_MEMORY, DrillStage
from drill.support.retrying import retry
from graph.errors import GraphError
from graph.event_kinds import QUEUES
from graph.events import Event
from graph.queries import Query
from stack.supervision.records import start_of
from storage.errors import StorageError

T = TypeVar("T")

STORE_ERRORS = (redis.RedisError, GraphError, StorageError)

STORE_RETRY_SECONDS = 20.0
"""How long a command is tried again while another fault makes its store unavailable."""

PAUSE_SECONDS = 1.5
"""How long the workers are frozen first, so that there are jobs to damage."""

KILL_SECONDS = 10.0
"""The longest time until a killed server has ended."""

SNAPSHOT_AGE_SECONDS = 2.0
KEY_SHARE = 0.2
JOB_SHARE = 0.5
"""Which share of the keys, or of the jobs, a fault affects."""

MAX_TORN_BYTES = 60
FULL_MEMORY = "1mb"

OPEN_EVENTS = Query(
    name="drill/open_events",
    summary="events that are due or waiting, in any order.",
    text=(
        "MATCH (event:Event) WHERE event.due_at IS NOT NULL WITH event LIMIT 400"
        " RETURN event {.id, .kind, .shard, .subject_id, .author_id, .epoch, .cursor, .attempts,"
        " .request_id} AS event"
    ),
    parameters={},
    returns=("event",),
    index=(),
    sorts="",
    expands="",
)


class StillRunningError(Exception):
    """A server runs although it was killed."""


def instant(act: Callable[[DrillStage, random.Random], Facts]) -> Apply:
    """A fault that is done at once. It is left out if another fault keeps its store unavailable."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        try:
            facts = act(stage, rng)
        except STORE_ERRORS as error:
            facts = {"left_out": str(error)[:200]}
        yield facts

    return apply


# Instant faults.


def flush_queue(stage: DrillStage, _rng: random.Random) -> Facts:
    """Delete every key of the queue."""
    return _flush(stage.storage.queue.client)


def flush_cache(stage: DrillStage, _rng: random.Random) -> Facts:
    """Delete every key of the cache."""
    return _flush(stage.storage.cache.client)


def evict_cache_keys(stage: DrillStage, rng: random.Random) -> Facts:
    """Delete some keys of every kind: timelines, bodies, tombstones, session copies, locks."""
    client = stage.storage.cache.client

    def evict() -> int:
        keys = [key for key in client.scan_iter(count=1_000) if rng.random() < KEY_SHARE]
        return int(client.delete(*keys)) if keys else 0

    return {"keys": _retry(evict)}


def delete_job_hashes(stage: DrillStage, rng: random.Random) -> Facts:
    """Delete the data of some jobs; their ids stay in the queues."""
    client = stage.storage.queue.client
    with _frozen_workers(stage):
        jobs = _retry(lambda: list(client.scan_iter("rq:job:*", count=1_000)))
        deleted = [job for job in jobs if rng.random() < JOB_SHARE]
        _retry(lambda: client.delete(*deleted) if deleted else 0)
    return {"jobs": len(jobs), "deleted": len(deleted)}


def delete_queue_entries(stage: DrillStage, rng: random.Random) -> Facts:
    """Delete the ids of some jobs from the queues; the data of the jobs stay."""
    client = stage.storage.queue.client
    deleted = 0
    with _frozen_workers(stage):
        for name in QUEUES:
            key = f"rq:queue:{name}"
            for job in _retry(lambda key=key: client.lrange(key, 0, -1)):  # type: ignore[misc]
                if rng.random() < JOB_SHARE:
                    deleted += _retry(lambda key=key, job=job: client.lrem(key, 1, job))  # type: ignore[misc]
    return {"deleted": deleted}


def strand_jobs(stage: DrillStage, rng: random.Random) -> Facts:
    """Move some jobs to the list in which a job stays if its worker dies before it starts it."""
    client = stage.storage.queue.client
    stranded = 0
    with _frozen_workers(stage):
        for name in QUEUES:
            key = f"rq:queue:{name}"
            for _ in range(_retry(lambda key=key: client.llen(key))):  # type: ignore[misc]
                if rng.random() < JOB_SHARE:
                    _retry(lambda key=key: client.lmove(key, f"{key}:intermediate"))  # type: ignore[misc]
                    stranded += 1
    return {"stranded": stranded}


def triple_jobs(stage: DrillStage, rng: random.Random) -> Facts:
    """Enqueue three jobs for the shard of each open event, due or not, in random order."""
    with _frozen_workers(stage):
        events = _open_events(stage) * 3
        rng.shuffle(events)
        _enqueue(stage, events)
    return {"jobs": len(events)}


def enqueue_stale_epochs(stage: DrillStage, rng: random.Random) -> Facts:
    """Enqueue jobs of the version before, which name an event; some events are done by then."""
    events = _open_events(stage)
    with _frozen_workers(stage):
        for event in events:
            _retry(lambda event=event: _enqueue_old(stage, event, rng))  # type: ignore[misc]
    return {"jobs": len(events)}


def tear_aof(stage: DrillStage, rng: random.Random) -> Facts:
    """Kill the queue and cut the last bytes off its file, as if it died while it wrote them."""
    [pid] = _kill_store(stage, "queue")
    files = sorted(
        stage.folder.glob("queue-*/aof/*.incr.aof"), key=lambda file: file.stat().st_mtime
    )
    size = files[-1].stat().st_size if files else 0
    cut = min(rng.randint(1, MAX_TORN_BYTES), size) if files else 0
    if cut:
        with files[-1].open("r+b") as file:
            file.truncate(size - cut)
    return {"pid": pid, "bytes": cut}


# Faults with a duration.


@contextmanager
def fill_queue(stage: DrillStage, _rng: random.Random) -> Iterator[Facts]:
    """Set the queue's memory limit below its use: it refuses every write."""
    _set_queue_memory(stage, FULL_MEMORY)
    try:
        yield {}
    finally:
        _set_queue_memory(stage, QUEUE_MEMORY)


@contextmanager
def restore_old_snapshot(stage: DrillStage, _rng: random.Random) -> Iterator[Facts]:
    """Kill the cache; it restarts with the data of a snapshot that is 2 s old."""
    client = stage.storage.cache.client
    _retry(client.save)
    dump = next(stage.folder.glob("cache-*/dump.rdb"))
    time.sleep(SNAPSHOT_AGE_SECONDS)
    keys = _retry(client.dbsize)
    [pid] = _kill_store(stage, "cache")
    try:
        yield {"keys": keys, "pid": pid, "bytes": dump.stat().st_size}
    finally:
        _retry(client.ping)
        dump.unlink(missing_ok=True)  # or every later start would read it again


# Steps that several faults share.


def _flush(client: redis.Redis) -> Facts:
    keys = _retry(client.dbsize)
    _retry(client.flushall)
    return {"keys": keys}


@contextmanager
def _frozen_workers(stage: DrillStage) -> Iterator[None]:
    """Freeze the workers, and resume them when the waiting jobs are damaged."""
    names = [name for name in WORKERS if name in stage.process_names and name != "sweeper"]
    with ExitStack() as afterwards:
        for name in names:
            afterwards.callback(stage.signal, name, SIGCONT)
            stage.signal(name, SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        yield


def _open_events(stage: DrillStage) -> list[Event]:
    rows = _retry(lambda: stage.graph.connection.read(OPEN_EVENTS))
    return [Event(**row["event"]) for row in rows]


def _enqueue(stage: DrillStage, events: list[Event]) -> None:
    for event in events:
        _retry(lambda event=event: stage.storage.queues.enqueue(event.queue, event.shard))  # type: ignore[misc]


def _enqueue_old(stage: DrillStage, event: Event, rng: random.Random) -> None:
    queue = Queue(event.queue, connection=stage.storage.queue.client, serializer=JSONSerializer)
    epoch = event.epoch + rng.choice((-1, 1))
    queue.enqueue("workers.jobs.work", event.id, epoch, result_ttl=0, job_timeout=60)


def _set_queue_memory(stage: DrillStage, memory: str) -> None:
    _retry(lambda: stage.storage.queue.client.config_set("maxmemory", memory))


def _kill_store(stage: DrillStage, name: str) -> list[int]:
    """Kill the server; returns its pids, once all of them have ended."""
    last_pid = stage.processes[name].pid
    pids = stage.signal(name, SIGKILL)

    def check_ended() -> None:
        if running := [pid for pid in pids if start_of(pid)]:
            raise StillRunningError(f"{name} was killed and still runs as {running}")

    retry(check_ended, on=StillRunningError, seconds=KILL_SECONDS, every=0.005)
    return pids or [last_pid or 0]


def _retry(call: Callable[[], T]) -> T:
    """Return what `call` returns, once the stores that it needs are available."""
    return retry(call, on=STORE_ERRORS, seconds=STORE_RETRY_SECONDS, every=0.2)
