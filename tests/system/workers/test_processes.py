"""Worker processes as they are started: usage errors, jobs, faults of their stores, the end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from drill.support.proxy import Proxy, proxied
from drill.support.push_service import HANG, PushService, push_service
from graph.events import Event
from graph.ids import new_id
from graph.queries import LOADED
from storage import Storage
from storage.bell_jobs import JOB_FUNCTION
from tests.support.eventually import B_SECONDS, eventually
from tests.support.notices import Clock, Watched
from tests.support.stage import QUEUE_DATABASE, Stage, empty_queues
from tests.support.vapid import settings_for

OWN_QUEUE_DATABASE = str(int(QUEUE_DATABASE) - 1)
"""The queue's Redis database, which only the worker of the test serves."""

Worker = subprocess.Popen[str]


@pytest.fixture
def env(stack_env: dict[str, str]) -> dict[str, str]:
    """The environment of the worker."""
    queue = urlsplit(stack_env["QUEUE_REDIS_URL"])._replace(path=f"/{OWN_QUEUE_DATABASE}")
    variables = {**os.environ, **stack_env, "LOG_LEVEL": "info"}
    variables.pop("PROMETHEUS_MULTIPROC_DIR", None)
    return variables | {"QUEUE_REDIS_URL": urlunsplit(queue)}


@pytest.fixture
def storage_of_worker(stage: Stage, env: dict[str, str]) -> Storage:
    """A storage whose queues the worker serves; they are empty."""
    storage = stage.open_storage(queue_url=env["QUEUE_REDIS_URL"])
    empty_queues(storage)
    return storage


@contextmanager
def started(name: str, env: Mapping[str, str], *, first_event: str) -> Iterator[Worker]:
    """A worker process whose first log line has this event."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers", name], stdout=subprocess.PIPE, text=True, env=dict(env)
    )
    try:
        assert next_line(process)["event"] == first_event
        yield process
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout
        process.stdout.close()


@contextmanager
def behind_proxy(env: Mapping[str, str], variable: str) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """A proxy before one store, and the environment with its address."""
    proxy, url = proxied(env[variable])
    with proxy:
        yield proxy, {**env, variable: url}


def next_line(process: Worker) -> dict[str, object]:
    assert process.stdout
    line = json.loads(process.stdout.readline())
    assert isinstance(line, dict)
    return line


def rest_of_log(process: Worker, *, status: int) -> str:
    """The log after the lines that were read, when the process has ended with this status."""
    assert process.wait(20) == status
    assert process.stdout
    return process.stdout.read()


def end(process: Worker) -> str:
    """Ends the process with SIGTERM; the rest of its log."""
    process.send_signal(signal.SIGTERM)
    return rest_of_log(process, status=0)


def publish(stage: Stage) -> Event:
    """The event of a post of a new author."""
    return stage.town.create_post(stage.town.user())


def usage_error(*arguments: str, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_missing_or_unknown_worker_name_is_refused_with_the_known_names(
    env: dict[str, str],
) -> None:
    known = (
        "It is one of: exports, fanout, fanout-large, photos, removal, timelines, sweeper, "
        "notifier.\n"
    )
    assert usage_error(env=env) == f"Name the worker to run. {known}"
    assert usage_error("lunch", env=env) == f"There is no worker 'lunch'. {known}"


def test_all_missing_settings_are_named_in_one_message(env: dict[str, str]) -> None:
    incomplete = dict(env)
    del incomplete["NEO4J_PASSWORD"], incomplete["CACHE_REDIS_URL"]
    message = usage_error("fanout", env=incomplete)
    assert "NEO4J_PASSWORD" in message
    assert "CACHE_REDIS_URL" in message
    assert "LOG_LEVEL is 'loud'" in usage_error("fanout", env=env | {"LOG_LEVEL": "loud"})


def test_a_worker_runs_a_job_with_the_id_of_the_request_and_ends_on_sigterm(
    stage: Stage, env: dict[str, str], storage_of_worker: Storage
) -> None:
    with structlog.contextvars.bound_contextvars(request_id="request-7"):
        event = publish(stage)
    with started("fanout", env, first_event="worker ready") as process:
        storage_of_worker.queues.wake(event)
        eventually(lambda: stage.town.find_event(event.id) is None)
        lines = [json.loads(line) for line in end(process).splitlines()]
    [job] = [line for line in lines if line.get("event_id") == event.id]
    assert (job["event"], job["outcome"], job["request_id"]) == ("job", "done", "request-7")
    assert (job["kind"], job["service"]) == ("post-published", "worker-fanout")


def test_a_worker_without_its_queue_logs_one_line_and_ends(env: dict[str, str]) -> None:
    env |= {"QUEUE_REDIS_URL": "redis://127.0.0.1:1/0"}
    with started("removal", env, first_event="queue away") as process:
        assert process.wait(10) == 1


# Case 17: the job's work is done, and only RQ's record of the job is lost
def test_a_queue_lost_at_the_end_of_a_job_is_logged_without_a_trace(
    stage: Stage, env: dict[str, str], storage_of_worker: Storage
) -> None:
    with (
        behind_proxy(env, "QUEUE_REDIS_URL") as (proxy, proxied_env),
        started("fanout", proxied_env, first_event="worker ready") as process,
    ):
        hold = proxy.hold(b"successful_job_count")
        storage_of_worker.queues.wake(publish(stage))
        hold.wait()
        proxy.down()
        hold.release()
        log = rest_of_log(process, status=1)
    assert "found an unhandled exception, quitting... (" in log
    assert "Traceback" not in log


# Case 11: the event is done, and the worker continues with the next job
@pytest.mark.parametrize("record", ["rq:job:*", "rq:execution:*"])
def test_a_job_deleted_while_it_runs_does_not_end_the_worker_or_log_a_trace(
    stage: Stage, env: dict[str, str], storage_of_worker: Storage, record: str
) -> None:
    with (
        behind_proxy(env, "QUEUE_REDIS_URL") as (proxy, proxied_env),
        started("fanout", proxied_env, first_event="worker ready") as process,
    ):
        hold = proxy.hold(b":dependents")  # RQ's first read when a job has ended
        storage_of_worker.queues.wake(publish(stage))
        hold.wait()
        client = storage_of_worker.queue.client
        assert client.delete(*client.scan_iter(record, count=1_000))
        hold.release()
        after = publish(stage)
        storage_of_worker.queues.wake(after)
        eventually(lambda: stage.town.find_event(after.id) is None)
        log = end(process)
    assert "queue away at a job's end" in log
    assert "Traceback" not in log


# Case 32: the graph fails during the job and stays down for longer than RQ waits
def test_a_time_out_while_a_job_releases_its_event_is_logged_in_one_line(
    stage: Stage, env: dict[str, str], storage_of_worker: Storage
) -> None:
    event = publish(stage)
    with (
        behind_proxy(env, "NEO4J_URI") as (proxy, proxied_env),
        started("fanout", proxied_env, first_event="worker ready") as process,
    ):
        hold = proxy.hold(LOADED["follows/followers_page"].text.encode())
        client = storage_of_worker.queue.client
        queue = Queue("fanout", connection=client, serializer=JSONSerializer)
        queue.enqueue(JOB_FUNCTION, event.queue, event.shard, job_timeout=12)
        hold.wait(B_SECONDS)
        proxy.down()
        hold.release()
        events = iter(lambda: next_line(process)["event"], "job out of time")
        assert "store away" in list(events)
        assert "Traceback" not in end(process)
    stage.do_all(event.author_id)


def test_the_sweeper_enqueues_jobs_and_ends_on_sigterm(
    stage: Stage, env: dict[str, str], storage_of_worker: Storage
) -> None:
    stage.town.put_off_all()
    event = stage.town.event("followed", stage.town.user(), stage.town.user())
    with started("sweeper", env, first_event="sweeper ready") as process:
        eventually(lambda: storage_of_worker.queues.depth("timelines") > 0)
        lines = [json.loads(line) for line in end(process).splitlines()]
    assert not [line for line in lines if line["level"] == "error"]
    stage.do(event)


@pytest.fixture
def push() -> Iterator[PushService]:
    with push_service() as service:
        yield service


@pytest.fixture
def notifier_env(push: PushService, env: dict[str, str]) -> dict[str, str]:
    """The environment of a notifier that knows the push service, with a short delay."""
    return {
        **env,
        "VAPID_PRIVATE_KEY": settings_for(push).private_key,
        "PUSH_ORIGINS": push.origin,
        "NOTICE_DELAY_SECONDS": "1",
    }


# Case 40
def test_a_notifier_that_is_killed_while_it_sends_has_recorded_the_try(
    stage: Stage, push: PushService, notifier_env: dict[str, str], storage_of_worker: Storage
) -> None:
    author = stage.town.user("Ana")
    reader = Watched(stage, Clock()).reader(author, browser=push.browser())
    push.answer(HANG)
    with started("notifier", notifier_env, first_event="notifier ready") as process:
        post_id = new_id()
        stage.town.old_posts(author, [post_id])
        stage.storage.timelines.push([reader], post_id, read_at=time.monotonic())
        eventually(lambda: push.received, seconds=90)
        process.kill()
        process.wait(30)
    record = storage_of_worker.notice_records.read_many([reader])[reader]
    assert record
    assert record.post_id < post_id, "the notice is not done"
    assert record.sending
    assert (record.sending.post_id, record.sending.tries) == (post_id, 1)


def test_a_notifier_ends_on_sigterm_without_an_error(notifier_env: dict[str, str]) -> None:
    with started("notifier", notifier_env, first_event="notifier ready") as process:
        lines = [json.loads(line) for line in end(process).splitlines()]
    assert not [line for line in lines if line["level"] == "error"]


def test_a_notifier_without_a_key_is_idle_and_says_so(env: dict[str, str]) -> None:
    without = {name: value for name, value in env.items() if name != "VAPID_PRIVATE_KEY"}
    with started("notifier", without, first_event="notifier idle") as process:
        assert end(process) == ""
