"""One RQ job an event, which claims it, does its work and finishes it: an outbox without drains.

Run as a process: it prints a line when it is ready, and works through its queue after a line of
input.
"""

import sys

import redis
from environs import Env
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from graph.events import LEASE_MS, Event
from graph.queries import Query
from workers import stores
from workers.handlers import HANDLERS

QUEUE = "bench-jobs"
JOB = "bench.peers.job_per_event.work"

CLAIM = Query(
    name="bench/claim_one",
    summary="claims one event.",
    text=(
        "MATCH (event:Event) WHERE event.id = $event_id SET event.locked = true"
        " REMOVE event.locked WITH event WHERE event.due_at <= timestamp()"
        " SET event.epoch = event.epoch + 1, event.attempts = event.attempts + 1,"
        " event.due_at = timestamp() + $lease_ms RETURN event {.id, .kind, .shard, .subject_id,"
        " .author_id, .epoch, .cursor, .attempts, .request_id} AS event"
    ),
    parameters={},
    returns=("event",),
    index=(),
    sorts="",
    expands="",
)


def work(event_id: int) -> None:
    """The job."""
    graph = stores.graph()
    for row in graph.connection.write(CLAIM, event_id=event_id, lease_ms=LEASE_MS):
        event = Event(**row["event"])
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
