"""One RQ job an event, which claims it, does its work and finishes it: an outbox without drains.

Run as a process: it prints a line when it is ready, and works through its queue after a line of
input.
"""

import sys

import redis
from environs import Env
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from graph import Graph
from graph.events import LEASE_MS, Event
from graph.queries import Query
from workers import stores
from workers.handlers import HANDLERS

QUEUE = "bench-jobs"
JOB = "bench.peers.job_per_event.work"

CLAIM = Query(
    name="bench/claim_one",
    summary="claims one event if it is due and has this epoch.",
    text=(
        "MATCH (event:Event) WHERE event.id = $event_id SET event.locked = true"
        " REMOVE event.locked WITH event WHERE event.epoch = $epoch"
        " AND event.due_at <= timestamp() SET event.epoch = event.epoch + 1,"
        " event.attempts = event.attempts + 1, event.tried = true,"
        " event.due_at = timestamp() + $lease_ms RETURN event {.id, .kind, .shard, .subject_id,"
        " .author_id, .epoch, .cursor, .attempts, .request_id} AS event"
    ),
    parameters={},
    returns=("event",),
    index=(),
    sorts="",
    expands="",
)


def claim(graph: Graph, event_id: int, epoch: int) -> Event | None:
    """The event with a new epoch and a lease; None if it is not due or has another epoch."""
    rows = graph.connection.write(CLAIM, event_id=event_id, epoch=epoch, lease_ms=LEASE_MS)
    return Event(**rows[0]["event"]) if rows else None


def work(event_id: int, epoch: int) -> None:
    """The job."""
    graph = stores.graph()
    if event := claim(graph, event_id, epoch):
        HANDLERS[event.kind](graph, stores.storage(), event)
        graph.events.finish([event])


def main() -> None:
    """Run the jobs that wait."""
    settings = stores.Settings.from_env(Env())
    stores.configure(settings)
    stores.graph().ping()
    worker = SimpleWorker(
        [QUEUE],
        connection=redis.Redis.from_url(settings.storage.queue_url),
        serializer=JSONSerializer,
        log_job_description=False,
    )
    print("ready", flush=True)
    sys.stdin.readline()
    worker.work(burst=True, logging_level="WARNING")
    stores.close()


if __name__ == "__main__":
    main()
