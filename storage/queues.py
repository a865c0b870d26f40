"""Bells: an RQ job names a shard of a queue, whose due events a worker then claims from the graph.

To ring is to set the shard's key; only where it was not set, a job is enqueued. The job deletes
the key before it claims. So a shard has one waiting job however many events it has, and an event
that is committed while the job runs rings again. A key whose job was lost expires after a lease.
"""

import time
from typing import Protocol

from rq import Queue
from rq.serializers import JSONSerializer

from storage.bell_jobs import JOB_FUNCTION, BellJob
from storage.errors import StorageUnavailableError
from storage.fail_open import fail_open, return_none, return_true
from storage.redis.server import Server

BELL_SECONDS = 20
"""How long a shard's bell stays rung if no worker takes the job: as long as a lease."""
QUEUE_LIMIT = 1_000
"""A queue with so many jobs takes no more. Without a worker, each shard gets a job in a lease."""
LENGTH_SECONDS = 1.0
"""How long a queue's length is cached."""
STEP_SECONDS = 30
"""How long a sweeper that died keeps its step from others."""
FAILURE_TTL_SECONDS = 3_600
"""How long RQ stores a failed job for operators to look at."""
JOB_TIMEOUT_SECONDS = 60
"""RQ stops a job after this. The lease of its events is shorter, 20 s, so another worker has
claimed them by then."""


class EventLike(Protocol):
    """The properties of an event that a wake needs."""

    @property
    def queue(self) -> str: ...  # noqa: D102  (as in graph.events)
    @property
    def shard(self) -> int: ...  # noqa: D102


class Queues:
    """Wakes workers."""

    def __init__(self, queue: Server) -> None:
        self._server = queue
        self._queues: dict[str, Queue] = {}
        self._lengths: dict[str, tuple[float, int]] = {}

    @fail_open("ring", return_none)
    def wake(self, event: EventLike | None) -> None:
        """Wake a worker for the event, if there is one.

        Fails open: the sweeper rings for an event that is still due.
        """
        if event is not None:
            self.ring(event.queue, event.shard)

    @fail_open("ring", return_none)
    def ring_again(self, queue: str, shard: int) -> None:
        """Ring for the rest of a shard, behind the jobs of other shards. Fails open, as wake()."""
        self.ring(queue, shard)

    def ring(self, queue: str, shard: int, *, due: int = 1) -> bool:
        """Enqueue a job for the shard, unless one waits; returns whether it was enqueued.

        `due`: at least so many events are due, for who reads the job's description. Raises
        StorageUnavailableError, also if the queue is full.
        """
        if self._length(queue) >= QUEUE_LIMIT:
            raise StorageUnavailableError("queue", f"{queue} is full")
        with self._server.guard():
            rung = self._server.client.set(bell_key(queue, shard), 1, nx=True, ex=BELL_SECONDS)
        if rung:
            self.enqueue(queue, shard, due=due)
        return bool(rung)

    def ring_due(self, queue: str, shard: int, *, due: int) -> bool:
        """Ring for events that nobody has claimed, as ring().

        Who can write a bell could keep a shard silent for ever: one that stands is given an end.
        """
        rung = self.ring(queue, shard, due=due)
        if not rung:
            with self._server.guard():
                self._server.client.expire(bell_key(queue, shard), BELL_SECONDS, lt=True)
        return rung

    @fail_open("silence", return_none)
    def silence(self, queue: str, shard: int) -> None:
        """Delete the shard's bell, before its events are claimed. Fails open: it expires."""
        with self._server.guard():
            self._server.client.delete(bell_key(queue, shard))

    @fail_open("step", return_true)
    def begin_step(self, name: str) -> bool:
        """Whether no other sweeper does this step now; then it is this one's for 30 s at most.

        Fails open, as a step that two sweepers do at once does no harm.
        """
        with self._server.guard():
            return bool(self._server.client.set(_step_key(name), 1, nx=True, ex=STEP_SECONDS))

    @fail_open("step", return_none)
    def end_step(self, name: str) -> None:
        """Let others do the step. Fails open: the reservation expires."""
        with self._server.guard():
            self._server.client.delete(_step_key(name))

    def enqueue(self, queue: str, shard: int, *, due: int = 1) -> None:
        """Enqueue a job for the shard, whatever its bell says. Raises StorageUnavailableError."""
        with self._server.guard(), self._server.client.pipeline() as pipeline:
            self._queue(queue).enqueue(
                JOB_FUNCTION,
                queue,
                shard,
                result_ttl=0,
                failure_ttl=FAILURE_TTL_SECONDS,
                job_timeout=JOB_TIMEOUT_SECONDS,
                description=describe(queue, shard, due),
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
                name,
                connection=self._server.client,
                serializer=JSONSerializer,
                job_class=BellJob,
            )
        return self._queues[name]


def bell_key(queue: str, shard: int) -> str:
    """The key that stands while a job for the shard waits."""
    return f"bell:{queue}:{shard}"


def _step_key(name: str) -> str:
    return f"step:{name}"


def describe(queue: str, shard: int, due: int) -> str:
    """What rq-dashboard shows of a job: `fanout, shard 3: 1 or more events are due`."""
    return f"{queue}, shard {shard}: {due} or more events are due"
