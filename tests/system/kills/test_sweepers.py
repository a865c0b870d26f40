"""Two sweepers, one of them cut off, and far more is due than a queue takes (case 14)."""

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
from tests.system.kills.site import Site

FULL = 500
"""Up to here a queue is filled here, not up to 2,000."""
DUE = 20 * FULL
BATCH = 5_000
QUEUE = "timelines"
ROUNDS = 2
"""How often the queue is filled up here, and taken away whole."""
SWEEPER = {
    "graph.events.LEASE_MS": LEASE_MS,
    "workers.sweeper.LONGEST_QUEUE": FULL,
    "workers.sweeper.PAGE": FULL // SHARDS,
}


@pytest.fixture
def backlog(driver: neo4j.Driver, stage: Stage, site: Site) -> Iterator[int]:
    """The author of very many events that have long been due."""
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
    yield author
    site.end_all()  # nobody else holds what is deleted now
    for start in range(0, DUE, BATCH):
        driver.execute_query(
            "MATCH (event:Event) WHERE event.id >= $first AND event.id < $first + $count"
            " AND event.author_id = $author DELETE event",
            first=first + start,
            count=BATCH,
            author=author,
        )


# Case 14
def test_two_sweepers_ring_for_each_of_very_many_once_a_lease_into_a_bounded_queue(
    site: Site, bell: Storage, backlog: int
) -> None:
    assert backlog
    began = time.monotonic()
    site.worker("sweeper", constants=SWEEPER)
    partitioned = site.worker("sweeper", constants=SWEEPER)
    rung: Counter[int] = Counter()
    for _ in range(ROUNDS):
        eventually(lambda: bell.queues.depth(QUEUE) >= FULL, seconds=60)
        partitioned.to.queue.down()  # it still reads what is due, and marks it
        events = taken(bell.queue.client)
        assert len(events) <= 2 * FULL, "each fills it up as far as it knows"
        rung.update(events)
    leases = 1 + int((time.monotonic() - began) * 1000 / LEASE_MS)
    assert max(rung.values()) <= leases


def taken(client: Any) -> list[int]:
    """The events of the jobs that wait, which no longer do."""
    ids = [job.decode() for job in client.lpop(f"rq:queue:{QUEUE}", DUE) or []]
    jobs = Job.fetch_many(ids, connection=client, serializer=JSONSerializer)
    if ids:
        client.delete(*(f"rq:job:{job}" for job in ids))
    return [int(job.args[0]) for job in jobs if job]
