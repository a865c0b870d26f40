"""The bell: RQ jobs of an event's id and epoch and nothing else. The graph has the queue."""

import time
from typing import Protocol

from rq import Queue
from rq.serializers import JSONSerializer

from storage.errors import StorageUnavailableError
from storage.fail_open import failing_open
from storage.redis.server import Server

PHOTOS, TIMELINES, REMOVAL = "photos", "timelines", "removal"
FANOUT, FANOUT_LARGE = "fanout", "fanout-large"
NAMES = (PHOTOS, FANOUT, FANOUT_LARGE, TIMELINES, REMOVAL)
"""Every queue; one worker process serves one."""
QUEUE_OF_KIND = {
    "photo-uploaded": PHOTOS,
    "post-published": FANOUT,
    "post-published-widely": FANOUT_LARGE,
    "post-deleted": REMOVAL,
    "profile-changed": REMOVAL,
    "followed": TIMELINES,
    "left": TIMELINES,
    "blocked": TIMELINES,
}
"""Which kind of event rings which queue."""
JOB = "workers.jobs.work"
"""What RQ calls with the event's id and epoch, named as text: storage does not know workers."""
QUEUE_LIMIT = 20_000
"""Jobs beyond which a queue is not rung: the sweeper rings later for what is still due."""
LENGTH_SECONDS = 1.0
"""How long a queue's length is believed."""
FAILURE_TTL_SECONDS = 3_600
JOB_TIMEOUT_SECONDS = 60
"""Beyond the lease of 20 s: a job that hangs longer is stopped, its event long claimed anew."""


class Owed(Protocol):
    """An event, as far as the bell needs it."""

    @property
    def id(self) -> int: ...  # noqa: D102  (the outbox's words)
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102


def _unrung(_queues: "Queues", _event: Owed, _request_id: str | None = None) -> None:
    return


class Queues:
    """Rings the workers."""

    names = NAMES

    def __init__(self, queue: Server) -> None:
        self._server = queue
        self._queues = {
            name: Queue(name, connection=queue.client, serializer=JSONSerializer) for name in NAMES
        }
        self._lengths: dict[str, tuple[float, int]] = {}

    @failing_open("ring", _unrung)
    def ring(self, event: Owed, request_id: str | None = None) -> None:
        """Rings the queue of the event's kind. Whatever fails is left to the sweeper."""
        self.send(event, request_id)

    def send(self, event: Owed, request_id: str | None = None) -> None:
        """The same for the sweeper, which has nobody to leave it to.

        Raises StorageUnavailableError, also where the queue is full.
        """
        name = QUEUE_OF_KIND[event.kind]
        if self._length(name) >= QUEUE_LIMIT:
            raise StorageUnavailableError("queue", f"{name} is full")
        with self._server.guard(), self._server.client.pipeline() as together:
            self._queues[name].enqueue(
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
            return int(self._queues[name].count)

    def _length(self, name: str) -> int:
        asked_at, length = self._lengths.get(name, (0.0, 0))
        if time.monotonic() - asked_at > LENGTH_SECONDS:
            length = self.depth(name)
            self._lengths[name] = (time.monotonic(), length)
        return length
