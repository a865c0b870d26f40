"""rq-dashboard at /rq: its routes, with pages of ours.

Its own pages put what jobs say into HTML as it is, and compile templates in the browser. Ours are
made here, escape everything and run no script. Also, rq-dashboard would unpickle jobs, so whoever
can write a job would run code here; and it takes jobs from a queue to empty it, which this process
may not.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any

import rq
import rq_dashboard
from flask import Flask, Response, abort, current_app, redirect, request, url_for
from rq.job import Job
from rq.serializers import JSONSerializer

from storage.bell_jobs import BellJob
from storage.redis.server import Server

REGISTRIES = ("queued", "started", "failed", "finished", "scheduled", "deferred", "canceled")
ORDERS = ("asc", "dsc")
PER_PAGE = 20
MOST_PER_PAGE = 200

ADDRESSES = {
    "instance_number": re.compile("0"),
    "job_id": re.compile(r"[\w-]{1,200}", re.ASCII),
    "registry_name": re.compile("|".join(REGISTRIES)),
    "order": re.compile("|".join(ORDERS)),
    "page": re.compile(r"\d{1,9}", re.ASCII),
    "per_page": re.compile(r"[1-9]\d?|1\d\d|200", re.ASCII),  # up to MOST_PER_PAGE
}
"""The values that parts of an address can have. rq-dashboard fails on others."""


class JSONQueue(rq.Queue):
    """A queue whose jobs are read as JSON, and deleted by their ids."""

    job_class = BellJob

    def empty(self) -> int:
        """Delete all jobs that wait; returns how many."""
        ids: list[str] = self.get_job_ids()
        with self.connection.pipeline() as pipeline:
            for job_id in ids:
                pipeline.lrem(self.key, 0, job_id)
                pipeline.delete(BellJob.key_for(job_id))
            pipeline.execute()
        return len(ids)

    def compact(self) -> None:
        """Remove the ids of jobs that are gone."""
        for job_id in self.get_job_ids():
            if not BellJob.exists(job_id, self.connection):
                self.connection.lrem(self.key, 0, job_id)


class JSONWorker(rq.Worker):
    """An RQ worker that reads its current job as JSON."""

    job_class = BellJob

    @classmethod
    def all(cls, *args: Any, **kwargs: Any) -> list[Any]:
        """All workers that are registered in Redis."""
        return list(super().all(*args, **{"serializer": JSONSerializer, **kwargs}))


def add_dashboard(app: Flask, queue_url: str) -> None:
    """Add the routes and pages at /rq, with the time-outs of `Server`."""
    app.config["RQ_DASHBOARD_REDIS_URL"] = (queue_url,)
    web = rq_dashboard.web
    app.redis_conn = _client_of(queue_url)  # type: ignore[attr-defined]
    web.from_url = lambda url, **_options: (None, _client_of(url))  # else a new one for each page
    web.config.serializer = JSONSerializer
    web.Job, web.Queue, web.Worker = BellJob, JSONQueue, JSONWorker
    web.requeue_job = partial(rq.requeue_job, serializer=JSONSerializer)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix="/rq")
    app.before_request(_check_address)
    app.after_request(_return_to_page)
    app.context_processor(
        lambda: {
            "registries": REGISTRIES,
            "count_of": count_of,
            "jobs_of": jobs_of,
            "jobs_url": jobs_url,
            "job_facts": job_facts,
            "time_text": time_text,
        }
    )


def count_of(queue: JSONQueue, registry: str) -> int:
    """The number of jobs in one of REGISTRIES of the queue."""
    if registry == "queued":
        return int(queue.count)
    jobs = getattr(queue, f"{registry}_job_registry")
    return int(jobs.get_job_count(cleanup=False))


def jobs_of(
    queue: str, registry: str, per_page: int, order: str, page: int
) -> tuple[int, list[dict[str, Any]]]:
    """The number of jobs in a registry, and a page of them. 404 for an unknown one."""
    if registry not in REGISTRIES or order not in ORDERS or not 1 <= per_page <= MOST_PER_PAGE:
        abort(HTTPStatus.NOT_FOUND)
    offset = (max(page, 1) - 1) * per_page
    total, jobs = rq_dashboard.web.get_queue_registry_jobs_count(
        queue, registry, offset, per_page, order, _connection()
    )
    return int(total), list(jobs)


def jobs_url(queue: str, registry: str, page: int = 1) -> str:
    """The page of a registry's jobs."""
    return url_for(
        "rq_dashboard.jobs_overview",
        instance_number=0,
        queue_name=queue,
        registry_name=registry,
        per_page=PER_PAGE,
        order="asc",
        page=page,
    )


def job_facts(job_id: str) -> Iterator[tuple[str, str]]:
    """What a job says of itself, by name. Raises NoSuchJobError."""
    job = BellJob.fetch(job_id, connection=_connection())
    yield "description", job.description or ""
    yield "queue", job.origin
    yield "status", str(job.get_status())
    yield "calls", _call_text(job)
    for name in ("created_at", "enqueued_at", "started_at", "ended_at"):
        yield name.replace("_", " "), time_text(getattr(job, name))
    result = job.latest_result()
    if result and result.exc_string:
        yield "error", result.exc_string


def time_text(time: datetime | None) -> str:
    """A time as text; a dash for none."""
    return time.isoformat(sep=" ", timespec="seconds") if time else "-"


def _call_text(job: Job) -> str:
    """The call of a job of ours; of any other that it cannot be read."""
    try:
        return str(job.get_call_string())
    except Exception:  # noqa: BLE001 - its data can be anything
        return "not readable"


def _check_address() -> None:
    """404 for an address that no page can have."""
    if request.blueprint != rq_dashboard.blueprint.name:
        return
    for name, value in (request.view_args or {}).items():
        if name in ADDRESSES and not ADDRESSES[name].fullmatch(str(value)):
            abort(HTTPStatus.NOT_FOUND)


def _return_to_page(response: Response) -> Response:
    """After a button of these pages, the page again instead of rq-dashboard's JSON."""
    back = request.form.get("back", "") if request.method == "POST" else ""
    if response.status_code == HTTPStatus.OK and back.startswith("/rq/"):
        return current_app.make_response(redirect(back, HTTPStatus.SEE_OTHER))
    return response


@lru_cache
def _client_of(queue_url: str) -> Any:
    return Server("queue", queue_url).client


def _connection() -> Any:
    return current_app.redis_conn  # type: ignore[attr-defined]
