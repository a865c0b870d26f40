"""What is done by hand to the data of the two Redis servers while everything runs."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any, TypeVar

import redis

from drill.stage.stage import QUEUE_MEMORY, WORKERS, DrillStage
from graph.errors import GraphError
from graph.event_kinds import QUEUES
from graph.events import Event
from graph.queries import Query
from stack.supervision.records import start_of
from storage.errors import StorageError
from tests.eventually import eventually
from tests.graph.making import statement

T = TypeVar("T")

AWAY = (redis.RedisError, GraphError, StorageError)

INSIST_SECONDS = 20.0
"""For how long a thing is tried that another fault may keep from happening."""

GATHER_SECONDS = 1.5
"""How long the workers stand still, so that there are jobs to damage."""

MOST_EVENTS = 400
OPEN: Query = statement(
    "MATCH (event:Event) WHERE event.due_at IS NOT NULL WITH event LIMIT 400"
    " RETURN event {.id, .kind, .subject_id, .author_id, .epoch, .cursor, .attempts} AS event"
)


def insist(act: Callable[[], T]) -> T:
    """What `act` returns, once the stores that it needs are there."""
    end = time.monotonic() + INSIST_SECONDS
    while True:
        try:
            return act()
        except AWAY:
            if time.monotonic() > end:
                raise
        time.sleep(0.2)


@contextmanager
def gathered(stage: DrillStage) -> Iterator[None]:
    """The workers stand still for a moment; when they go on, what is done here is done."""
    names = [name for name in WORKERS if name in stage.names and name != "sweeper"]
    with ExitStack() as afterwards:
        for name in names:
            afterwards.callback(stage.signal, name, SIGCONT)
            stage.signal(name, SIGSTOP)
        time.sleep(GATHER_SECONDS)
        yield


def flush_queue(stage: DrillStage, _rng: random.Random) -> dict[str, Any]:
    client = stage.storage.queue.client
    keys = insist(client.dbsize)
    insist(client.flushall)
    return {"keys": keys}


def flush_cache(stage: DrillStage, _rng: random.Random) -> dict[str, Any]:
    client = stage.storage.cache.client
    keys = insist(client.dbsize)
    insist(client.flushall)
    return {"keys": keys}


def evict_cache_keys(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    """Some of everything goes: lists, bodies, tombstones, session copies, locks."""
    client = stage.storage.cache.client

    def evict() -> int:
        gone = [key for key in client.scan_iter(count=1_000) if rng.random() < 0.2]
        return int(client.delete(*gone)) if gone else 0

    return {"keys": insist(evict)}


def delete_job_hashes(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    client = stage.storage.queue.client
    with gathered(stage):
        jobs = insist(lambda: list(client.scan_iter("rq:job:*", count=1_000)))
        gone = [job for job in jobs if rng.random() < 0.5]
        insist(lambda: client.delete(*gone) if gone else 0)
    return {"jobs": len(jobs), "deleted": len(gone)}


def delete_queue_entries(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    client = stage.storage.queue.client
    deleted = 0
    with gathered(stage):
        for name in QUEUES:
            key = f"rq:queue:{name}"
            for job in insist(lambda key=key: client.lrange(key, 0, -1)):  # type: ignore[misc]
                if rng.random() < 0.5:
                    deleted += insist(lambda key=key, job=job: client.lrem(key, 1, job))  # type: ignore[misc]
    return {"deleted": deleted}


def strand_jobs(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    """Taken out of the queue by a worker that died before it began: as RQ leaves them."""
    client = stage.storage.queue.client
    stranded = 0
    with gathered(stage):
        for name in QUEUES:
            key = f"rq:queue:{name}"
            for _ in range(insist(lambda key=key: client.llen(key))):  # type: ignore[misc]
                if rng.random() < 0.5:
                    insist(lambda key=key: client.lmove(key, f"{key}:intermediate"))  # type: ignore[misc]
                    stranded += 1
    return {"stranded": stranded}


def triple_jobs(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    """Each event is rung three times more, in any order, whether it is due or not."""
    with gathered(stage):
        events = open_events(stage) * 3
        rng.shuffle(events)
        _ring(stage, events)
    return {"jobs": len(events)}


def ring_stale_epochs(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    """Jobs of claims before and after the present one, and of events long finished."""
    events = open_events(stage)
    with gathered(stage):
        stale = [replace(event, epoch=event.epoch + rng.choice((-1, 1))) for event in events]
        _ring(stage, stale)
    return {"jobs": len(stale)}


def open_events(stage: DrillStage) -> list[Event]:
    rows = insist(lambda: stage.graph.connection.read(OPEN))
    return [Event(**row["event"]) for row in rows]


def tear_aof(stage: DrillStage, rng: random.Random) -> dict[str, Any]:
    """The queue is killed in the middle of writing its file: the last bytes are not there."""
    [pid] = kill_store(stage, "queue")
    files = sorted(
        stage.folder.glob("queue-*/aof/*.incr.aof"), key=lambda file: file.stat().st_mtime
    )
    cut = min(rng.randint(1, 60), files[-1].stat().st_size) if files else 0
    if cut:
        with files[-1].open("r+b") as file:
            file.truncate(files[-1].stat().st_size - cut)
    return {"pid": pid, "bytes": cut}


@contextmanager
def old_snapshot(stage: DrillStage) -> Iterator[dict[str, Any]]:
    """The cache writes a snapshot, goes on, is killed and comes back with what it had then."""
    insist(stage.storage.cache.client.save)
    dump = next(stage.folder.glob("cache-*/dump.rdb"))
    time.sleep(2)
    keys = insist(stage.storage.cache.client.dbsize)
    [pid] = kill_store(stage, "cache")
    try:
        yield {"keys": keys, "pid": pid, "bytes": dump.stat().st_size}
    finally:
        insist(stage.storage.cache.client.ping)
        dump.unlink(missing_ok=True)  # else each later start would read it again


def fill_queue(stage: DrillStage) -> None:
    insist(lambda: stage.storage.queue.client.config_set("maxmemory", "1mb"))


def empty_queue(stage: DrillStage) -> None:
    insist(lambda: stage.storage.queue.client.config_set("maxmemory", QUEUE_MEMORY))


def kill_store(stage: DrillStage, name: str) -> list[int]:
    """The pids of the server that now is dead."""
    before = stage.processes[name].pid
    reached = stage.signal(name, SIGKILL)
    eventually(lambda: all(start_of(pid) is None for pid in reached), every=0.005)
    return reached or [before or 0]


def _ring(stage: DrillStage, events: list[Event]) -> None:
    for event in events:
        insist(lambda event=event: stage.storage.queues.enqueue(event))  # type: ignore[misc]
