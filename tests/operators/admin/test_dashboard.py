import pickle
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from graph import Graph
from operators.admin.app import create_admin_app
from storage import Storage
from tests.operators.admin.conftest import settings
from tests.support.eventually import eventually

WORKER = """
import sys, redis, rq
from rq.serializers import JSONSerializer
client = redis.Redis.from_url(sys.argv[1], protocol=2)
rq.SimpleWorker([sys.argv[2]], connection=client, serializer=JSONSerializer).work(burst=True)
"""


@pytest.fixture
def queue(queue_client: redis.Redis, queue_name: str) -> Iterator[Queue]:
    queue = Queue(queue_name, connection=queue_client, serializer=JSONSerializer)
    yield queue
    queue.delete(delete_jobs=True)


def get_json(operator: FlaskClient, path: str) -> dict[str, Any]:
    response = operator.get(path)
    assert response.status_code == HTTPStatus.OK
    return dict(response.get_json())


def create_failed_job(queue: Queue) -> Job:
    """A failed job of our workers."""
    job = queue.enqueue("workers.jobs.work", 17, 3)
    queue.remove(job)
    job.set_status(JobStatus.FAILED)
    FailedJobRegistry(queue=queue).add(job, ttl=600, exc_string="Traceback: it broke")
    return job


def test_queues_and_their_jobs_are_shown(operator: FlaskClient, queue: Queue) -> None:
    job = queue.enqueue("workers.jobs.work", 17, 3)
    queues = {
        entry["name"]: entry for entry in get_json(operator, "/rq/0/data/queues.json")["queues"]
    }
    assert queues[queue.name]["count"] == 1
    jobs = get_json(operator, f"/rq/0/data/jobs/{queue.name}/queued/8/asc/1.json")["jobs"]
    assert [entry["id"] for entry in jobs] == [job.id]
    assert "17, 3" in jobs[0]["description"]
    assert get_json(operator, f"/rq/0/data/job/{job.id}.json")["origin"] == queue.name
    assert operator.get(f"/rq/0/view/job/{job.id}").status_code == HTTPStatus.OK


def test_a_worker_is_shown_while_it_runs_a_json_job(
    operator: FlaskClient, queue: Queue, stack_env: dict[str, str]
) -> None:
    job = queue.enqueue("time.sleep", 3)
    command = [sys.executable, "-c", WORKER, stack_env["QUEUE_REDIS_URL"], queue.name]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):

        def worker() -> dict[str, Any]:
            workers = get_json(operator, "/rq/0/data/workers.json")["workers"]
            return next(entry for entry in workers if entry["queues"] == [queue.name])

        eventually(lambda: has_worker(operator, queue) and worker()["state"] == "busy")
        running_job = worker()["current_job"]
        assert running_job["job_id"] == job.id
        assert running_job["call_string"] == "time.sleep(3)"
        assert operator.get("/rq/0/view/workers").status_code == HTTPStatus.OK


def has_worker(operator: FlaskClient, queue: Queue) -> bool:
    """Whether a worker of the queue is registered."""
    workers = get_json(operator, "/rq/0/data/workers.json")["workers"]
    return any(entry["queues"] == [queue.name] for entry in workers)


def test_a_failed_job_is_requeued_with_its_arguments(operator: FlaskClient, queue: Queue) -> None:
    job = create_failed_job(queue)
    assert operator.post(f"/rq/job/{job.id}/requeue").json == {"status": "OK"}
    assert queue.job_ids == [job.id]
    requeued = Job.fetch(job.id, connection=queue.connection, serializer=JSONSerializer)
    assert (requeued.func_name, requeued.args) == ("workers.jobs.work", [17, 3])


def test_all_failed_jobs_are_requeued_by_a_post(operator: FlaskClient, queue: Queue) -> None:
    ids = {create_failed_job(queue).id, create_failed_job(queue).id}
    assert operator.post(f"/rq/requeue/{queue.name}").json == {"status": "OK", "count": 2}
    assert set(queue.job_ids) == ids


def test_a_failed_job_is_deleted(operator: FlaskClient, queue: Queue) -> None:
    job = create_failed_job(queue)
    assert operator.post(f"/rq/job/{job.id}/delete").json == {"status": "OK"}
    assert not Job.exists(job.id, connection=queue.connection)


def test_a_deleted_job_is_404(operator: FlaskClient) -> None:
    assert operator.get("/rq/0/data/job/nothing.json").status_code == HTTPStatus.NOT_FOUND


# Security 22
@pytest.mark.parametrize("odd", ["x.y", "%00", "%ff", "[object]", "é", "a" * 300])
def test_an_odd_job_id_is_404(operator: FlaskClient, odd: str) -> None:
    for path in (f"/rq/0/view/job/{odd}", f"/rq/0/data/job/{odd}.json"):
        assert operator.get(path).status_code == HTTPStatus.NOT_FOUND, path
    for change in ("requeue", "delete"):
        assert operator.post(f"/rq/job/{odd}/{change}").status_code == HTTPStatus.NOT_FOUND


# Security 22
@pytest.mark.parametrize(
    "path",
    [
        *("/rq/1/", "/rq/99999999999999999999/view/workers", "/rq/1/data/queues.json"),
        *("/rq/0/data/jobs/x/odd/20/asc/1.json", "/rq/0/data/jobs/x/queued/20/odd/1.json"),
        *("/rq/0/data/jobs/x/queued/abc/asc/1.json", "/rq/0/data/jobs/x/queued/0/asc/1.json"),
        *("/rq/0/data/jobs/x/queued/201/asc/1.json", "/rq/0/data/jobs/x/queued/20/asc/-1.json"),
    ],
)
def test_an_address_that_no_page_has_is_404(operator: FlaskClient, path: str) -> None:
    assert operator.get(path).status_code == HTTPStatus.NOT_FOUND


# Security 22
def test_an_odd_registry_is_not_emptied_but_404(operator: FlaskClient) -> None:
    assert operator.post("/rq/queue/fanout/odd/empty").status_code == HTTPStatus.NOT_FOUND


# Security 22
def test_the_dashboards_pages_escape_what_jobs_say(operator: FlaskClient, queue: Queue) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    waiting = queue.enqueue("workers.jobs.work", 17, 3, description=hostile)
    failed = queue.enqueue("workers.jobs.work", 17, hostile, description=hostile)
    queue.remove(failed)
    failed.set_status(JobStatus.FAILED)
    FailedJobRegistry(queue=queue).add(failed, ttl=600, exc_string=f"Traceback: {hostile}")
    jobs = f"/rq/0/view/jobs/{queue.name}"
    for path in (
        *("/rq/", "/rq/0/view/workers", f"{jobs}/queued/20/asc/1", f"{jobs}/failed/20/asc/1"),
        *(f"/rq/0/view/job/{job.id}" for job in (waiting, failed)),
    ):
        page = operator.get(path)
        assert page.status_code == HTTPStatus.OK
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert " style=" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


# Security 22
def test_no_page_may_run_a_script_or_load_a_foreign_file(operator: FlaskClient) -> None:
    for path in ("/", "/events", "/rq/", "/rq/0/view/jobs"):
        page = operator.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "<style" not in page.text
        assert "https://" not in page.text
    assert operator.get("/static/admin.css").mimetype == "text/css"
    assert operator.get("/rq/favicon.ico").status_code == HTTPStatus.OK


class Payload:
    """A pickle that runs a command when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[list[str]]]:
        return subprocess.check_call, (["touch", str(self._path)],)


# Security 22
@pytest.mark.parametrize("field", ["data", "meta", "result"])
def test_the_dashboard_reads_no_pickle(
    operator: FlaskClient, queue: Queue, tmp_path: Path, field: str
) -> None:
    path, job = tmp_path / "ran", create_failed_job(queue)
    queue.connection.hset(job.key, field, pickle.dumps(Payload(path)))
    queue.connection.rpush(queue.key, job.id)
    jobs = f"{queue.name}/queued/20/asc/1"
    for read in (
        f"/rq/0/view/job/{job.id}",
        f"/rq/0/view/jobs/{jobs}",
        f"/rq/0/data/jobs/{jobs}.json",
    ):
        assert operator.get(read).status_code == HTTPStatus.OK
    assert operator.get(f"/rq/0/data/job/{job.id}.json").status_code in {200, 422}
    for change in ("requeue", "delete"):
        assert operator.post(f"/rq/job/{job.id}/{change}").status_code == HTTPStatus.OK
    assert not path.exists()


def test_the_buttons_lead_back_to_their_page_and_nowhere_else(
    operator: FlaskClient, queue: Queue
) -> None:
    for back, status in (("/rq/0/view/jobs", 303), ("//evil.example/rq/", 200), ("", 200)):
        job = create_failed_job(queue)
        answer = operator.post(f"/rq/job/{job.id}/delete", data={"back": back})
        assert answer.status_code == status
        assert answer.headers.get("Location") == (back if status == 303 else None)


def test_an_emptied_queue_has_no_jobs_left(operator: FlaskClient, queue: Queue) -> None:
    jobs = [queue.enqueue("workers.jobs.work", number, 3) for number in range(3)]
    queue.connection.rpush(queue.key, "gone")
    assert operator.post(f"/rq/queue/{queue.name}/compact").json == {"status": "OK"}
    assert queue.job_ids == [job.id for job in jobs]
    assert operator.post(f"/rq/queue/{queue.name}/queued/empty").json == {"status": "OK"}
    assert queue.count == 0
    assert not any(Job.exists(job.id, connection=queue.connection) for job in jobs)


def test_the_dashboard_is_503_while_the_queue_is_down(graph: Graph, storage: Storage) -> None:
    app = create_admin_app(settings(), graph, storage, "redis://127.0.0.1:1/0")
    client = app.test_client()
    response = client.get("/rq/0/view/workers", auth=("admin", settings().password))
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "Retry-After" in response.headers
    assert "Traceback" not in response.text
