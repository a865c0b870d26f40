"""Two sweepers, one of them cut off from the queue, and many due events."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import neo4j
import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from graph.events import SHARDS
from graph.ids import new_id
from storage import Storage
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.kills.processes import Processes

DUE = 10_000
BATCH = 5_000
QUEUE = "timelines"
ROUNDS = 3
"""How often the test takes the jobs out of the queue."""
BELL_SECONDS = 20
SWEEPER = {"storage.queues.BELL_SECONDS": BELL_SECONDS}


@pytest.fixture
def _backlog(driver: neo4j.Driver, stage: Stage, processes: Processes) -> Iterator[None]:
    """Events of one author that have been due for 100 s."""
    author = stage.town.user()
    first = new_id() - DUE
    for start in range(0, DUE, BATCH):
        driver.execute_query(
            "UNWIND range($first, $first + $count - 1) AS id CREATE (:Event {id: id, kind: 'left',"
            " queue: 'timelines', shard: id % 16, subject_id: $author, author_id: $author,"
            " cursor: 0, epoch: 0, attempts: 0, tried: false, due_at: timestamp() - 100000,"
            " owed_at: timestamp() - 100000})",
            first=first + start,
            count=BATCH,
            author=author,
        )
    yield
    processes.end_all()  # the sweepers hold no locks on the events that are deleted now
    for start in range(0, DUE, BATCH):
        driver.execute_query(
            "MATCH (event:Event) WHERE event.id >= $first AND event.id < $first + $count"
            " AND event.author_id = $author DELETE event",
            first=first + start,
            count=BATCH,
            author=author,
        )


# Case 14
@pytest.mark.usefixtures("_backlog")
def test_two_sweepers_ring_each_shard_once_a_lease(
    processes: Processes, worker_storage: Storage
) -> None:
    began = time.monotonic()
    processes.start_worker("sweeper", constants=SWEEPER)
    cut_off = processes.start_worker("sweeper", constants=SWEEPER)
    jobs_by_shard: Counter[int] = Counter()
    for _ in range(ROUNDS):
        eventually(lambda: {*jobs_by_shard, *queued_shards(worker_storage)} == set(range(SHARDS)))
        cut_off.to.queue.down()  # the other goes on alone
        jobs_by_shard.update(pop_jobs(worker_storage))
    bells = 1 + int((time.monotonic() - began) / BELL_SECONDS)
    assert max(jobs_by_shard.values()) <= bells


def queued_shards(storage: Storage) -> list[int]:
    """The shards of the jobs that wait."""
    queue = Queue(QUEUE, connection=storage.queue.client, serializer=JSONSerializer)
    return [int(job.args[1]) for job in queue.jobs]


def pop_jobs(storage: Storage) -> list[int]:
    """Empties the queue; the shards of its jobs. Their bells stand, as if the jobs were lost."""
    shards = queued_shards(storage)
    queue: Any = Queue(QUEUE, connection=storage.queue.client, serializer=JSONSerializer)
    queue.empty()
    return shards
