"""Real worker processes: usage errors, their work, their end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from drill.support.proxy import Proxy
from graph.queries import LOADED
from storage import Storage
from storage.queues import JOB_FUNCTION
from tests.support.eventually import eventually
from tests.support.stage import QUEUE_DATABASE, Stage, empty_queues

OWN_QUEUE_DATABASE = str(int(QUEUE_DATABASE) - 1)
"""A Redis database for the queue that only the test's worker serves."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "workers", *arguments]


def usage_error(*arguments: str, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=30, check=False, env=dict(env)
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def worker(name: str, env: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(command(name), stdout=subprocess.PIPE, text=True, env=dict(env))
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout
        process.stdout.close()


def lines_after(process: "subprocess.Popen[str]", number: int) -> list[dict[str, object]]:
    """End the process with a signal, expect status 0; the rest of its log lines."""
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stdout
    return [json.loads(line) for line in process.stdout]


def first_line(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stdout
    line = json.loads(process.stdout.readline())
    assert isinstance(line, dict)
    return line


@pytest.fixture
def own_env(stack_env: dict[str, str]) -> dict[str, str]:
    queue = urlsplit(stack_env["QUEUE_REDIS_URL"])._replace(path=f"/{OWN_QUEUE_DATABASE}")
    inherited = {
        name: value for name, value in stack_env.items() if name != "PROMETHEUS_MULTIPROC_DIR"
    }
    return {**os.environ, **inherited, "QUEUE_REDIS_URL": urlunsplit(queue), "LOG_LEVEL": "info"}


def own_queues(stage: Stage, own_env: Mapping[str, str]) -> Storage:
    """A storage whose queues the test's worker serves; the queues are empty."""
    storage = stage.open_storage(queue_url=own_env["QUEUE_REDIS_URL"])
    empty_queues(storage)
    return storage


def test_a_missing_or_unknown_worker_name_is_refused_with_the_known_names(
    own_env: dict[str, str],
) -> None:
    known = "It is one of: fanout, fanout-large, photos, removal, timelines, sweeper.\n"
    assert usage_error(env=own_env) == f"Name the worker to run. {known}"
    assert usage_error("lunch", env=own_env) == f"There is no worker 'lunch'. {known}"


def test_all_missing_settings_are_named_in_one_message(own_env: dict[str, str]) -> None:
    env = own_env | {"LOG_LEVEL": "info"}
    del env["NEO4J_PASSWORD"], env["CACHE_REDIS_URL"]
    message = usage_error("fanout", env=env)
    assert "NEO4J_PASSWORD" in message
    assert "CACHE_REDIS_URL" in message
    assert "LOG_LEVEL is 'loud'" in usage_error("fanout", env=own_env | {"LOG_LEVEL": "loud"})


def test_a_worker_runs_a_job_with_the_id_of_the_request_and_ends_on_sigterm(
    stage: Stage, own_env: dict[str, str]
) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    waker = own_queues(stage, own_env)
    with worker("fanout", own_env) as process:
        assert first_line(process)["event"] == "worker ready"
        with structlog.contextvars.bound_contextvars(request_id="request-7"):
            waker.queues.wake(event)
        eventually(lambda: stage.town.find_event(event.id) is None)
        lines = lines_after(process, signal.SIGTERM)
    [job] = [line for line in lines if line.get("event_id") == event.id]
    assert (job["event"], job["outcome"], job["request_id"]) == ("job", "done", "request-7")
    assert (job["kind"], job["service"]) == ("post-published", "worker-fanout")


def test_a_worker_without_its_queue_logs_one_line_and_ends(own_env: dict[str, str]) -> None:
    env = own_env | {"QUEUE_REDIS_URL": "redis://127.0.0.1:1/0"}
    with worker("removal", env) as process:
        assert first_line(process)["event"] == "queue away"
        assert process.wait(10) == 1


def test_a_queue_lost_at_the_end_of_a_job_is_logged_without_a_trace(
    stage: Stage, own_env: dict[str, str]
) -> None:
    """Case 17. The job's work is done; only RQ's record of the job is lost."""
    waker = own_queues(stage, own_env)
    queue = urlsplit(own_env["QUEUE_REDIS_URL"])
    with Proxy("127.0.0.1", queue.port or 0) as proxy:
        login = queue.netloc.rpartition("@")[0]
        behind = urlunsplit(queue._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        with worker("fanout", own_env | {"QUEUE_REDIS_URL": behind}) as process:
            assert first_line(process)["event"] == "worker ready"
            _post, event = stage.town.post(stage.town.user())
            hold = proxy.hold(b"successful_job_count")
            waker.queues.wake(event)
            hold.wait()
            proxy.down()
            hold.release()
            assert process.wait(20) == 1
            assert process.stdout
            text = process.stdout.read()
    assert "found an unhandled exception, quitting... (" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("record", ["rq:job:*", "rq:execution:*"])
def test_a_job_deleted_while_it_runs_does_not_end_the_worker_or_log_a_trace(
    stage: Stage, own_env: dict[str, str], record: str
) -> None:
    """Case 11. The event is done, and the worker continues with the next job."""
    waker = own_queues(stage, own_env)
    queue = urlsplit(own_env["QUEUE_REDIS_URL"])
    with Proxy("127.0.0.1", queue.port or 0) as proxy:
        login = queue.netloc.rpartition("@")[0]
        behind = urlunsplit(queue._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        with worker("fanout", own_env | {"QUEUE_REDIS_URL": behind}) as process:
            assert first_line(process)["event"] == "worker ready"
            _post, event = stage.town.post(stage.town.user())
            hold = proxy.hold(b":dependents")  # RQ's first read when a job has ended
            waker.queues.wake(event)
            hold.wait()
            client = waker.queue.client
            assert client.delete(*client.scan_iter(record, count=1_000))
            hold.release()
            _post, after = stage.town.post(stage.town.user())
            waker.queues.wake(after)
            eventually(lambda: stage.town.find_event(after.id) is None, seconds=20)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert process.stdout
            text = process.stdout.read()
    assert "queue away at a job's end" in text
    assert "Traceback" not in text


def test_a_time_out_while_a_job_releases_its_event_is_logged_in_one_line(
    stage: Stage, own_env: dict[str, str]
) -> None:
    """Case 32. The graph fails during the job and stays down for longer than RQ waits."""
    waker = own_queues(stage, own_env)
    graph = urlsplit(own_env["NEO4J_URI"])
    with Proxy("127.0.0.1", graph.port or 0) as proxy:
        behind = urlunsplit(graph._replace(netloc=f"127.0.0.1:{proxy.port}"))
        with worker("fanout", own_env | {"NEO4J_URI": behind}) as process:
            assert first_line(process)["event"] == "worker ready"
            _post, event = stage.town.post(stage.town.user())
            hold = proxy.hold(LOADED["follows/followers_page"].text.encode())
            queue = Queue("fanout", connection=waker.queue.client, serializer=JSONSerializer)
            queue.enqueue(JOB_FUNCTION, event.id, event.epoch, job_timeout=12)
            hold.wait(30)
            proxy.down()
            hold.release()
            events = iter(lambda: first_line(process)["event"], "job out of time")
            assert "store away" in list(events)
            lines = json.dumps(lines_after(process, signal.SIGTERM))
            assert "Traceback" not in lines
    stage.do_all(event.author_id)


def test_the_sweeper_enqueues_jobs_and_ends_on_sigterm(
    stage: Stage, own_env: dict[str, str]
) -> None:
    stage.town.mark_all_woken()
    event = stage.town.event("followed", stage.town.user(), stage.town.user())
    waker = own_queues(stage, own_env)
    with worker("sweeper", own_env) as process:
        assert first_line(process)["event"] == "sweeper ready"
        # A job that Redis did not accept in time is enqueued again after a lease of 20 s
        eventually(lambda: waker.queues.depth("timelines") > 0, seconds=45)
        lines = lines_after(process, signal.SIGTERM)
    assert not [line for line in lines if line["level"] == "error"]
    stage.do(event)
