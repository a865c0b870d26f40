"""RQ jobs as a worker may read them: a shard of a queue to drain, and nothing else.

A job is a hash in Redis, and whoever can write one could name any function, a callback, a webhook
or a pickle. So jobs are JSON, their other fields are not read, and a worker runs one function.
"""

from collections.abc import Mapping
from typing import Any

from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

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


class BellJob(Job):
    """A job of ours, or one that `refusal_of` refuses. It is always JSON."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments[:2], **{**named, "serializer": JSONSerializer})

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
