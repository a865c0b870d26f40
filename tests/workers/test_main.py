"""The real processes: what they refuse, what they do, how they end."""

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
from storage.queues import JOB
from tests.support.eventually import eventually
from tests.support.stage import BELL, Stage, empty_queues

OWN_BELL = str(int(BELL) - 1)
"""A queue database that only the worker of the test serves."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "workers", *arguments]


def refused(*arguments: str, env: Mapping[str, str]) -> str:
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
    """What it logged in all, after a signal has ended it with status 0."""
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
    queue = urlsplit(stack_env["QUEUE_REDIS_URL"])._replace(path=f"/{OWN_BELL}")
    kept = {name: value for name, value in stack_env.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {**os.environ, **kept, "QUEUE_REDIS_URL": urlunsplit(queue), "LOG_LEVEL": "info"}


def own_bell(stage: Stage, own_env: Mapping[str, str]) -> Storage:
    """The storage whose queues the test's worker serves, empty."""
    storage = stage.open_storage(queue_url=own_env["QUEUE_REDIS_URL"])
    empty_queues(storage)
    return storage


def test_a_worker_of_no_or_an_unknown_name_is_refused_with_the_known_ones(
    own_env: dict[str, str],
) -> None:
    known = "It is one of: fanout, fanout-large, photos, removal, timelines, sweeper.\n"
    assert refused(env=own_env) == f"Name the worker to run. {known}"
    assert refused("lunch", env=own_env) == f"There is no worker 'lunch'. {known}"


def test_missing_settings_are_named_all_together(own_env: dict[str, str]) -> None:
    env = own_env | {"LOG_LEVEL": "info"}
    del env["NEO4J_PASSWORD"], env["CACHE_REDIS_URL"]
    sentence = refused("fanout", env=env)
    assert "NEO4J_PASSWORD" in sentence
    assert "CACHE_REDIS_URL" in sentence
    assert "LOG_LEVEL is 'loud'" in refused("fanout", env=own_env | {"LOG_LEVEL": "loud"})


def test_a_worker_does_what_it_is_rung_for_under_the_requests_id_and_ends_on_sigterm(
    stage: Stage, own_env: dict[str, str]
) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    bell = own_bell(stage, own_env)
    with worker("fanout", own_env) as process:
        assert first_line(process)["event"] == "worker ready"
        with structlog.contextvars.bound_contextvars(request_id="request-7"):
            bell.queues.wake(event)
        eventually(lambda: stage.town.find_event(event.id) is None)
        lines = lines_after(process, signal.SIGTERM)
    [job] = [line for line in lines if line.get("event_id") == event.id]
    assert (job["event"], job["outcome"], job["request_id"]) == ("job", "done", "request-7")
    assert (job["kind"], job["service"]) == ("post-published", "worker-fanout")


def test_a_worker_whose_queue_is_away_ends_with_a_sentence(own_env: dict[str, str]) -> None:
    env = own_env | {"QUEUE_REDIS_URL": "redis://127.0.0.1:1/0"}
    with worker("removal", env) as process:
        assert first_line(process)["event"] == "queue away"
        assert process.wait(10) == 1


def test_a_queue_that_goes_away_at_a_jobs_end_is_said_without_a_trace(
    stage: Stage, own_env: dict[str, str]
) -> None:
    """Case 17. The job's work is done; RQ alone cannot note that it is."""
    bell = own_bell(stage, own_env)
    queue = urlsplit(own_env["QUEUE_REDIS_URL"])
    with Proxy("127.0.0.1", queue.port or 0) as proxy:
        login = queue.netloc.rpartition("@")[0]
        behind = urlunsplit(queue._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        with worker("fanout", own_env | {"QUEUE_REDIS_URL": behind}) as process:
            assert first_line(process)["event"] == "worker ready"
            _post, event = stage.town.post(stage.town.user())
            hold = proxy.hold(b"successful_job_count")
            bell.queues.wake(event)
            hold.wait()
            proxy.down()
            hold.release()
            assert process.wait(20) == 1
            assert process.stdout
            text = process.stdout.read()
    assert "found an unhandled exception, quitting... (" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("record", ["rq:job:*", "rq:execution:*"])
def test_a_job_deleted_under_its_worker_costs_neither_the_worker_nor_a_trace(
    stage: Stage, own_env: dict[str, str], record: str
) -> None:
    """Case 11. The event was done; the worker goes on with the next."""
    bell = own_bell(stage, own_env)
    queue = urlsplit(own_env["QUEUE_REDIS_URL"])
    with Proxy("127.0.0.1", queue.port or 0) as proxy:
        login = queue.netloc.rpartition("@")[0]
        behind = urlunsplit(queue._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        with worker("fanout", own_env | {"QUEUE_REDIS_URL": behind}) as process:
            assert first_line(process)["event"] == "worker ready"
            _post, event = stage.town.post(stage.town.user())
            hold = proxy.hold(b":dependents")  # what RQ asks for first when a job has ended
            bell.queues.wake(event)
            hold.wait()
            client = bell.queue.client
            assert client.delete(*client.scan_iter(record, count=1_000))
            hold.release()
            _post, after = stage.town.post(stage.town.user())
            bell.queues.wake(after)
            eventually(lambda: stage.town.find_event(after.id) is None, seconds=20)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert process.stdout
            text = process.stdout.read()
    assert "queue away at a job's end" in text
    assert "Traceback" not in text


def test_a_job_out_of_time_while_it_gives_its_event_back_is_said_in_a_line(
    stage: Stage, own_env: dict[str, str]
) -> None:
    """Case 32. The graph goes away under the job, and stays away for longer than RQ waits."""
    bell = own_bell(stage, own_env)
    graph = urlsplit(own_env["NEO4J_URI"])
    with Proxy("127.0.0.1", graph.port or 0) as proxy:
        behind = urlunsplit(graph._replace(netloc=f"127.0.0.1:{proxy.port}"))
        with worker("fanout", own_env | {"NEO4J_URI": behind}) as process:
            assert first_line(process)["event"] == "worker ready"
            _post, event = stage.town.post(stage.town.user())
            hold = proxy.hold(LOADED["follows/followers_page"].text.encode())
            queue = Queue("fanout", connection=bell.queue.client, serializer=JSONSerializer)
            queue.enqueue(JOB, event.id, event.epoch, job_timeout=12)
            hold.wait(30)
            proxy.down()
            hold.release()
            told = iter(lambda: first_line(process)["event"], "job out of time")
            assert "store away" in list(told)
            lines = json.dumps(lines_after(process, signal.SIGTERM))
            assert "Traceback" not in lines
    stage.do_all(event.author_id)


def test_the_sweeper_rings_and_ends_on_sigterm(stage: Stage, own_env: dict[str, str]) -> None:
    stage.town.quiet()
    event = stage.town.event("followed", stage.town.user(), stage.town.user())
    bell = own_bell(stage, own_env)
    with worker("sweeper", own_env) as process:
        assert first_line(process)["event"] == "sweeper ready"
        # A ring that Redis did not take in time is tried again after a lease of 20 s
        eventually(lambda: bell.queues.depth("timelines") > 0, seconds=45)
        lines = lines_after(process, signal.SIGTERM)
    assert not [line for line in lines if line["level"] == "error"]
    stage.do(event)


def test_a_process_that_hangs_ends_itself_so_that_it_is_started_again() -> None:
    script = """
import time
from workers.watchdog import Watchdog
dog = Watchdog(0.2)
with dog.step():
    pass
time.sleep(1.5)
print("awake", flush=True)
with dog.step():
    time.sleep(20)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=15, check=False
    )
    assert done.returncode == 70
    assert done.stdout.startswith("awake"), "between two steps it may sleep for long"
