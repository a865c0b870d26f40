"""The bell: RQ jobs of an event's id and epoch and nothing else. The graph has the queue."""

import time
from typing import Protocol

import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from storage.errors import StorageUnavailableError
from storage.fail_open import fail_open, nothing
from storage.redis.server import Server

JOB = "workers.jobs.work"
"""What RQ calls with the event's id and epoch, named as text: storage does not know workers."""
QUEUE_LIMIT = 20_000
"""Jobs beyond which a queue is not rung: the sweeper rings later for what is still due."""
LENGTH_SECONDS = 1.0
"""How long a queue's length is believed."""
FAILURE_TTL_SECONDS = 3_600
JOB_TIMEOUT_SECONDS = 60
"""Beyond the lease of 20 s: a job that hangs longer is stopped, its event long claimed anew."""


class Wakeable(Protocol):
    """An event, as far as the bell needs it."""

    @property
    def id(self) -> int: ...  # noqa: D102  (the outbox's words)
    @property
    def queue(self) -> str: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102


class Queues:
    """Rings the workers."""

    def __init__(self, queue: Server) -> None:
        self._server = queue
        self._queues: dict[str, Queue] = {}
        self._lengths: dict[str, tuple[float, int]] = {}

    @fail_open("ring", nothing)
    def wake(self, event: Wakeable | None) -> None:
        """Enqueue a job for the event, if there is one.

        Fails open: the sweeper enqueues again for what is still due.
        """
        if event is not None:
            self.enqueue(event)

    def enqueue(self, event: Wakeable) -> None:
        """Enqueue a job for the event, with the id of the request that is being served, if any.

        Raises StorageUnavailableError, also where the queue is full.
        """
        name = event.queue
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if self._length(name) >= QUEUE_LIMIT:
            raise StorageUnavailableError("queue", f"{name} is full")
        with self._server.guard(), self._server.client.pipeline() as together:
            self._queue(name).enqueue(
                JOB,
                event.id,
                event.epoch,
                result_ttl=0,
                failure_ttl=FAILURE_TTL_SECONDS,
                job_timeout=JOB_TIMEOUT_SECONDS,
                meta={"request_id": request_id},
                pipeline=together,  # of its own RQ sends two
            )
            together.execute()

    def depth(self, name: str) -> int:
        """How many jobs wait in a queue. Raises StorageUnavailableError."""
        with self._server.guard():
            return int(self._queue(name).count)

    def _length(self, name: str) -> int:
        asked_at, length = self._lengths.get(name, (0.0, 0))
        if time.monotonic() - asked_at > LENGTH_SECONDS:
            length = self.depth(name)
            self._lengths[name] = (time.monotonic(), length)
        return length

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            self._queues[name] = Queue(
                name, connection=self._server.client, serializer=JSONSerializer
            )
        return self._queues[name]
