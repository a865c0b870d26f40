import os
import subprocess
import sys
import time
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from subprocess import PIPE

import pytest
import redis
from environs import Env
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from rq import Queue
from rq.serializers import JSONSerializer

from graph import Graph, GraphSettings
from graph.event_kinds import QUEUES
from operators.admin.app import create_admin_app
from storage import Storage, StorageSettings
from tests.operators.admin.conftest import settings

CLOSED_ADDRESS = "127.0.0.1:1"
COUNT = """
from observing.metrics import JOBS, PUBLISH_TO_VISIBLE
JOBS.labels("photo-uploaded", "done").inc(2)
PUBLISH_TO_VISIBLE.labels(audience="small").observe(0.3)
"""
SET_BYTES = """
from observing.metrics import COPY_BYTES
COPY_BYTES.set(5)
"""
WAIT = """
print("set", flush=True)
input()
"""


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


def test_the_stores_and_the_outbox_are_measured(operator: FlaskClient) -> None:
    response = operator.get("/metrics")
    assert response.content_type.startswith("text/plain")
    for store in ("neo4j", "queue", "cache", "s3"):
        assert sample(response.text, "photofeed_store_up", store=store) == 1
    for state in ("due", "waiting", "quarantined"):
        assert sample(response.text, "photofeed_events", state=state) >= 0
    for name in ("oldest_due_event", "oldest_owed_event", "oldest_export"):
        assert sample(response.text, f"photofeed_{name}_seconds") >= 0
    for queue in QUEUES:
        assert sample(response.text, "photofeed_queue_jobs", queue=queue) >= 0


def test_a_waiting_job_is_counted(operator: FlaskClient, queue_client: redis.Redis) -> None:
    queue = Queue("removal", connection=queue_client, serializer=JSONSerializer)
    job = queue.enqueue("workers.jobs.work", 1, 0)
    try:
        metrics = operator.get("/metrics").text
        assert sample(metrics, "photofeed_queue_jobs", queue="removal") >= 1
    finally:
        queue.remove(job)
        job.delete()


def test_the_counters_of_all_processes_are_added_up(
    graph: Graph, storage: Storage, stack_env: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "created" / "by the first process"
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", COUNT], env=environ, check=True, timeout=30)
    app = create_admin_app(settings(folder), graph, storage, stack_env["QUEUE_REDIS_URL"])
    metrics = app.test_client().get("/metrics", auth=("admin", settings().password)).text
    labels = {"kind": "photo-uploaded", "outcome": "done"}
    assert sample(metrics, "photofeed_jobs_total", **labels) == 4
    assert sample(metrics, "photofeed_publish_to_visible_seconds_count", audience="small") == 2
    assert sample(metrics, "photofeed_store_up", store="neo4j") == 1


def test_the_files_of_ended_processes_do_not_grow_in_number_and_their_counts_stay(
    graph: Graph, storage: Storage, stack_env: dict[str, str], tmp_path: Path
) -> None:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    app = create_admin_app(settings(tmp_path), graph, storage, stack_env["QUEUE_REDIS_URL"])
    labels = {"kind": "photo-uploaded", "outcome": "done"}
    files = []
    for number in range(1, 4):
        subprocess.run([sys.executable, "-c", COUNT], env=environ, check=True, timeout=30)
        metrics = app.test_client().get("/metrics", auth=("admin", settings().password)).text
        assert sample(metrics, "photofeed_jobs_total", **labels) == 2 * number
        bucket = {"audience": "small", "le": "0.5"}
        assert sample(metrics, "photofeed_publish_to_visible_seconds_bucket", **bucket) == number
        name = "photofeed_publish_to_visible_seconds_sum"
        assert sample(metrics, name, audience="small") == pytest.approx(0.3 * number)
        files.append(len(list(tmp_path.iterdir())))
    assert files[0] == files[1] == files[2]


def test_a_gauge_of_a_process_that_has_ended_is_not_added(
    graph: Graph, storage: Storage, stack_env: dict[str, str], tmp_path: Path
) -> None:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SET_BYTES], env=environ, check=True, timeout=30)
    app = create_admin_app(settings(tmp_path), graph, storage, stack_env["QUEUE_REDIS_URL"])
    with subprocess.Popen(
        [sys.executable, "-c", SET_BYTES + WAIT], env=environ, stdin=PIPE, stdout=PIPE
    ) as running:
        assert running.stdin
        assert running.stdout
        assert running.stdout.readline() == b"set\n"
        metrics = app.test_client().get("/metrics", auth=("admin", settings().password)).text
        running.stdin.write(b"\n")
    assert sample(metrics, "photofeed_copy_bytes") == 5


def test_stores_that_are_down_are_reported_within_the_deadline(stack_env: dict[str, str]) -> None:
    env = Env()
    dead_storage = Storage.open(
        replace(
            StorageSettings.from_env(env),
            cache_url=f"redis://{CLOSED_ADDRESS}/0",
            s3_endpoint_url=f"http://{CLOSED_ADDRESS}",
        )
    )
    with Graph.open(
        replace(GraphSettings.from_env(env), uri=f"bolt://{CLOSED_ADDRESS}")
    ) as dead_graph:
        app = create_admin_app(settings(), dead_graph, dead_storage, stack_env["QUEUE_REDIS_URL"])
        for _ in range(3):
            start_time = time.monotonic()
            response = app.test_client().get("/metrics", auth=("admin", settings().password))
            assert time.monotonic() - start_time < 4
            assert response.status_code == HTTPStatus.OK
        page = app.test_client().get("/", auth=("admin", settings().password))
        events = app.test_client().get("/events", auth=("admin", settings().password))
    dead_storage.close()
    assert sample(response.text, "photofeed_store_up", store="neo4j") == 0
    assert sample(response.text, "photofeed_store_up", store="cache") == 0
    assert sample(response.text, "photofeed_store_up", store="s3") == 0
    assert sample(response.text, "photofeed_store_up", store="queue") == 1
    assert sample(response.text, "photofeed_queue_jobs", queue="photos") >= 0
    assert "photofeed_oldest_due_event_seconds" not in response.text  # unknown is not 0
    assert page.status_code == HTTPStatus.OK
    assert page.text.count("does not answer") >= 3
    assert events.status_code == HTTPStatus.SERVICE_UNAVAILABLE
