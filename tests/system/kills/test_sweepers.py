"""Two sweepers, one of them cut off from the queue, and many more due events than a queue takes."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import neo4j
import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from graph.events import LEASE_MS, SHARDS
from graph.ids import new_id
from storage import Storage
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.kills.processes import Processes

FULL = 500
"""The sweepers fill a queue up to this length here, not up to 2,000."""
DUE = 20 * FULL
BATCH = 5_000
QUEUE = "timelines"
ROUNDS = 2
"""How often the sweepers fill the queue and the test empties it."""
SWEEPER = {
    "graph.events.LEASE_MS": LEASE_MS,
    "workers.sweeper.LONGEST_QUEUE": FULL,
    "workers.sweeper.PAGE": FULL // SHARDS,
}


@pytest.fixture
def _backlog(driver: neo4j.Driver, stage: Stage, processes: Processes) -> Iterator[None]:
    """Events of one author that have been due for 100 s."""
    author = stage.town.user()
    first = new_id() - DUE
    for start in range(0, DUE, BATCH):
        driver.execute_query(
            "UNWIND range($first, $first + $count - 1) AS id CREATE (:Event {id: id, kind: 'left',"
            " shard: id % 16, subject_id: $author, author_id: $author, cursor: 0, epoch: 0,"
            " attempts: 0, due_at: timestamp() - 100000, rung_at: 0})",
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
def test_two_sweepers_enqueue_each_event_once_a_lease_into_a_bounded_queue(
    processes: Processes, worker_storage: Storage
) -> None:
    began = time.monotonic()
    processes.start_worker("sweeper", constants=SWEEPER)
    cut_off = processes.start_worker("sweeper", constants=SWEEPER)
    jobs_by_event: Counter[int] = Counter()
    for _ in range(ROUNDS):
        eventually(lambda: worker_storage.queues.depth(QUEUE) >= FULL)
        cut_off.to.queue.down()  # it still reads due events and marks them as woken
        events = pop_jobs(worker_storage.queue.client)
        assert len(events) <= 2 * FULL, "each sweeper knows only its own jobs"
        jobs_by_event.update(events)
    leases = 1 + int((time.monotonic() - began) * 1000 / LEASE_MS)
    assert max(jobs_by_event.values()) <= leases


def pop_jobs(client: Any) -> list[int]:
    """Empties the queue; the ids of the events of its jobs."""
    ids = [job.decode() for job in client.lpop(f"rq:queue:{QUEUE}", DUE) or []]
    jobs = Job.fetch_many(ids, connection=client, serializer=JSONSerializer)
    if ids:
        client.delete(*(f"rq:job:{job}" for job in ids))
    return [int(job.args[0]) for job in jobs if job]
