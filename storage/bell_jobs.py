"""RQ jobs as a worker may read them: a shard of a queue to drain, and nothing else.

A job is a hash in Redis, and whoever can write one could name any function, a callback, a webhook
or a pickle. So jobs are JSON, their other fields are not read, and a worker runs one function.
A queue is a list of ids, and whoever can write to it could put anything there.
"""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from rq import Queue
from rq.exceptions import DequeueTimeout, DeserializationError, NoSuchJobError
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.serializers import JSONSerializer

from observing.metrics import JOBS_REFUSED

JOB_FUNCTION = "workers.jobs.drain"
"""The function that RQ calls with a queue and a shard. A path, because storage must not import
workers."""
JOB_FUNCTIONS = frozenset({JOB_FUNCTION, "workers.jobs.work"})
"""All functions that a worker runs: that of the version before too."""

FIELDS = frozenset(
    {
        *("data", "description", "origin", "status", "worker_name"),
        *("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat"),
        *("timeout", "result_ttl", "failure_ttl"),
    }
)
"""The fields of a job's hash that are read. RQ itself would read callbacks and webhooks too, and
call them."""
MOST_BYTES = 1_000
"""Of a job's data, before it is inflated and after. Ours have some 60."""
UNREADABLE = b"?"
"""Data that no job of ours has."""
MOST_SECONDS = 3_600
"""Of a job's time-out. Any other than 1 to so many is not read, as the timer would refuse it."""

JOB_ID = re.compile(rb"[A-Za-z0-9_-]{1,100}")
"""RQ refuses to read a job of another id, by an error that would end the worker."""
MOST_ODD_IDS = 1_000
"""Ids that are dropped before a worker does anything else, as to say that it lives."""

log = structlog.get_logger(__name__)


class BellJob(Job):
    """A job of ours, or one that `refusal_of` refuses. It is always JSON."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Raises NoSuchJobError for what no job can have as its id."""
        try:
            super().__init__(*arguments[:2], **{**named, "serializer": JSONSerializer})
        except ValueError as error:
            raise NoSuchJobError(str(error)) from error

    def restore(self, raw_data: Mapping[Any, Any]) -> None:
        """Take over what is read of the hash. Raises NoSuchJobError if it has no data.

        What RQ cannot read becomes a job that is refused: an error here would end the worker.
        """
        fields = {_text(name): value for name, value in raw_data.items()}
        fields = {name: value for name, value in fields.items() if name in FIELDS}
        if len(fields.get("data", b"")) > MOST_BYTES:
            fields["data"] = UNREADABLE
        try:
            super().restore(fields)
        except NoSuchJobError:
            raise
        except Exception:  # noqa: BLE001 - a number, a time, a status, a text: RQ raises many errors
            super().restore({"data": UNREADABLE})
        if not (isinstance(self.timeout, int) and 1 <= self.timeout <= MOST_SECONDS):
            self.timeout = None


class TakenJobs(IntermediateQueue):
    """The ids that workers have taken from a queue and whose jobs they have not begun."""

    def get_job_ids(self) -> list[str]:
        """The ids. What is none is removed."""
        ids: list[str] = []
        taken_ids: Any = self.connection.lrange(self.key, 0, -1)
        for taken in taken_ids:
            if JOB_ID.fullmatch(taken):
                ids.append(taken.decode())
            else:
                drop_odd_id(self.connection, self.key, taken)
        return ids


class BellQueue(Queue):
    """A queue from which a worker takes jobs of ours, and in which anything can be."""

    job_class = BellJob

    @property
    def intermediate_queue(self) -> TakenJobs:
        """What workers have taken from this queue."""
        return TakenJobs(self.key, connection=self.connection)

    @classmethod
    def lmove(cls, connection: Any, queue_key: str, timeout: int | None) -> Any:
        """The next id, and the queue's key; None if there is none. What is no id is removed.

        Raises DequeueTimeout if a `timeout` in seconds is given and no id comes within it.
        """
        for _ in range(MOST_ODD_IDS):
            taken = super().lmove(connection, queue_key, timeout)
            if taken is None or JOB_ID.fullmatch(taken[1]):
                return taken
            drop_odd_id(connection, TakenJobs.get_intermediate_queue_key(queue_key), taken[1])
        if timeout is None:
            return None
        raise DequeueTimeout(timeout, queue_key)


def drop_odd_id(connection: Any, key: str, odd: bytes) -> None:
    """Remove from the list what is no id of a job."""
    connection.lrem(key, 0, odd)
    JOBS_REFUSED.labels(reason="no id").inc()
    log.error("job refused", reason="no id", job_id=repr(odd[:100]), queue=key)


def refusal_of(job: Job) -> str | None:
    """Why a worker must not run the job; None for one of ours."""
    if len(job.data) > MOST_BYTES:
        return "too long"
    try:
        function, instance, arguments = job.func_name, job.instance, job.args
    except (DeserializationError, AttributeError, TypeError, ValueError):
        return "not JSON"
    if function not in JOB_FUNCTIONS or instance is not None:
        return "another function"
    is_plain = isinstance(arguments, list) and all(isinstance(a, str | int) for a in arguments)
    return None if is_plain and isinstance(job.kwargs, dict) else "other arguments"


def _text(name: Any) -> str:
    return name.decode("latin-1") if isinstance(name, bytes) else str(name)
