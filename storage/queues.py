"""Wakes: an RQ job has an event's id and epoch only. The queue of record is the graph."""

import time
from typing import Protocol

import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from storage.errors import StorageUnavailableError
from storage.fail_open import fail_open, return_none
from storage.redis.server import Server

JOB_FUNCTION = "workers.jobs.work"
"""The function that RQ calls with an event's id and epoch. A path, because storage must not import
workers."""
QUEUE_LIMIT = 20_000
"""A queue with so many jobs takes no more. The sweeper enqueues later what is still due."""
LENGTH_SECONDS = 1.0
"""How long a queue's length is cached."""
FAILURE_TTL_SECONDS = 3_600
"""How long RQ stores a failed job for operators to look at."""
JOB_TIMEOUT_SECONDS = 60
"""RQ stops a job after this. The lease of its event is shorter, 20 s, so another worker has claimed
the event by then."""


class EventLike(Protocol):
    """The properties of an event that a wake needs."""

    @property
    def id(self) -> int: ...  # noqa: D102  (as in graph.events)
    @property
    def queue(self) -> str: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102


class Queues:
    """Wakes workers."""

    def __init__(self, queue: Server) -> None:
        self._server = queue
        self._queues: dict[str, Queue] = {}
        self._lengths: dict[str, tuple[float, int]] = {}

    @fail_open("ring", return_none)
    def wake(self, event: EventLike | None) -> None:
        """Enqueue a job for the event, if there is one.

        Fails open: the sweeper wakes a worker again for an event that is still due.
        """
        if event is not None:
            self.enqueue(event)

    def enqueue(self, event: EventLike) -> None:
        """Enqueue a job for the event, with the id of the current request, if any.

        Raises StorageUnavailableError, also if the queue is full.
        """
        name = event.queue
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if self._length(name) >= QUEUE_LIMIT:
            raise StorageUnavailableError("queue", f"{name} is full")
        with self._server.guard(), self._server.client.pipeline() as pipeline:
            self._queue(name).enqueue(
                JOB_FUNCTION,
                event.id,
                event.epoch,
                result_ttl=0,
                failure_ttl=FAILURE_TTL_SECONDS,
                job_timeout=JOB_TIMEOUT_SECONDS,
                meta={"request_id": request_id},
                pipeline=pipeline,  # one round trip; RQ alone would make two
            )
            pipeline.execute()

    def depth(self, name: str) -> int:
        """The number of jobs in a queue. Raises StorageUnavailableError."""
        with self._server.guard():
            return int(self._queue(name).count)

    def _length(self, name: str) -> int:
        read_at, length = self._lengths.get(name, (0.0, 0))
        if time.monotonic() - read_at > LENGTH_SECONDS:
            length = self.depth(name)
            self._lengths[name] = (time.monotonic(), length)
        return length

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            self._queues[name] = Queue(
                name, connection=self._server.client, serializer=JSONSerializer
            )
        return self._queues[name]
