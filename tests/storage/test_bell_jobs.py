"""RQ jobs that somebody else has put in a queue: what a worker reads of them, and what it runs."""

import json
import os
import pickle
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

import workers.__main__ as entry
from observing.metrics import JOBS_REFUSED
from storage.bell_jobs import JOB_FUNCTION, MOST_BYTES, BellJob, refusal_of
from tests.support.private_server import PrivateServer, start
from workers import jobs
from workers.watchdog import Watchdog

NAME = "fanout"


class Payload:
    """A pickle that runs a command when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[list[str]]]:
        return subprocess.check_call, (["touch", str(self._path)],)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateServer]:
    with start(tmp_path) as server:
        yield server


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The arguments of each drain that a worker has run."""
    drained: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "drain", lambda *arguments, **_named: drained.append(arguments))
    return drained


class OurWorker(entry.Worker):
    """Our worker, in a thread of a test: its time-outs use no signals."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        return


def work(server: PrivateServer) -> None:
    """Run what is in the queue as a worker of ours does."""
    worker = OurWorker(
        [NAME],
        connection=redis.Redis.from_url(server.url),
        serializer=JSONSerializer,
        job_class=BellJob,
    )
    worker.watchdog = Watchdog(60)
    worker.work(burst=True, logging_level="CRITICAL")


def put(server: PrivateServer, job_id: str = "hostile", **fields: Any) -> None:
    """Put a job into the queue as somebody who can write to Redis."""
    usual = {"origin": NAME, "status": "queued", "created_at": "2026-01-01T00:00:00Z"}
    whole: Any = {**usual, **fields}
    server.client.hset(f"rq:job:{job_id}", mapping=whole)
    server.client.rpush(f"rq:queue:{NAME}", job_id)


def call(function: str, *arguments: Any, instance: Any = None, **named: Any) -> bytes:
    return zlib.compress(json.dumps([function, instance, arguments, named]).encode())


def refused() -> float:
    samples = next(iter(JOBS_REFUSED.collect())).samples
    return sum(one.value for one in samples if one.name.endswith("_total"))


def assert_dropped(server: PrivateServer) -> None:
    """The job is in no list, and its hash is gone."""
    assert not server.client.exists("rq:job:hostile")
    assert not server.client.keys(f"rq:queue:{NAME}*")


# Security 22
@pytest.mark.parametrize("function", ["os.system", "subprocess.check_call", "builtins.exec"])
def test_a_job_of_another_function_is_dropped_without_running(
    server: PrivateServer, tmp_path: Path, drained: list[Any], function: str
) -> None:
    path = tmp_path / "ran"
    command = f"touch {path}"
    argument = ["touch", str(path)] if "subprocess" in function else command
    before = refused()
    put(server, data=call(function, argument))
    work(server)
    assert not path.exists()
    assert drained == []
    assert refused() == before + 1
    assert_dropped(server)


# Security 22
@pytest.mark.parametrize("field", ["data", "meta", "result"])
def test_a_pickle_in_a_job_is_never_read(
    server: PrivateServer, tmp_path: Path, drained: list[Any], field: str
) -> None:
    path = tmp_path / "ran"
    fields: dict[str, Any] = {
        "data": call(JOB_FUNCTION, NAME, 3),
        field: pickle.dumps(Payload(path)),
    }
    put(server, **fields)
    work(server)
    BellJob("other", redis.Redis.from_url(server.url)).restore(fields)
    assert not path.exists()
    assert drained == ([] if field == "data" else [(NAME, 3)])


def call_back(*_arguments: Any) -> None:
    """What the callbacks of a hostile job name. RQ would import and call it."""
    Path(os.environ["CALLED_BACK"]).touch()


# Security 22
def test_a_job_calls_nothing_back(
    server: PrivateServer, tmp_path: Path, drained: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "called back"
    monkeypatch.setenv("CALLED_BACK", str(path))
    name = f"{__name__}.{call_back.__name__}"
    hook = json.dumps([{"url": "http://127.0.0.1:1/", "statuses": ["finished", "failed"]}])
    put(
        server,
        data=call(JOB_FUNCTION, NAME, 3),
        success_callback_name=name,
        failure_callback_name=name,
        stopped_callback_name=name,
        webhooks=hook,
        repeats_left=5,
        retries_left=5,
    )
    work(server)
    assert drained == [(NAME, 3)]
    assert not path.exists()
    job = BellJob("an-id", redis.Redis())
    job.restore({b"data": b"x", b"webhooks": hook.encode(), b"success_callback_name": b"os.system"})
    assert (job.webhooks, job._success_callback_name) == ([], None)


# Security 22
@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "soon"},
        {"created_at": "yesterday"},
        {"status": "hostile"},
        {"description": b"\xff\xfe"},
        {"result_ttl": "x"},
        {"data": b"x" * 100_000},
        {"data": zlib.compress(b" " * 500_000)},
    ],
)
def test_a_damaged_job_is_dropped_and_ends_no_worker(
    server: PrivateServer, drained: list[Any], fields: dict[str, Any]
) -> None:
    put(server, **{"data": call(JOB_FUNCTION, NAME, 3), **fields})
    put(server, "good", data=call(JOB_FUNCTION, NAME, 4))
    work(server)
    assert drained == [(NAME, 4)]
    assert not server.client.exists("rq:job:hostile")


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout", "9" * 20), ("timeout", "-1"), ("origin", ""), ("origin", "other:queue\n")],
)
def test_odd_facts_of_a_job_of_ours_change_nothing(
    server: PrivateServer, drained: list[Any], name: str, value: str
) -> None:
    fields: dict[str, Any] = {"data": call(JOB_FUNCTION, NAME, 3), name: value}
    put(server, **fields)
    work(server)
    assert drained == [(NAME, 3)]
    assert not server.client.keys(f"rq:queue:{NAME}*")


# Security 22
@pytest.mark.parametrize("part", ["", ":intermediate"])
@pytest.mark.parametrize("odd", [b"\xff\xfe", b"<b>", b"a:b", b"", b"a" * 10_000])
def test_what_is_no_id_of_a_job_is_dropped_and_ends_no_worker(
    server: PrivateServer, drained: list[Any], part: str, odd: bytes
) -> None:
    before = refused()
    server.client.rpush(f"rq:queue:{NAME}{part}", odd, odd)
    put(server, "good", data=call(JOB_FUNCTION, NAME, 4))
    work(server)
    assert drained == [(NAME, 4)]
    assert refused() > before
    assert not server.client.keys(f"rq:queue:{NAME}*")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (call("workers.jobs.drain", NAME, 1), None),
        (call("workers.jobs.work", 17, 3), None),
        (call("workers.jobs.drain", NAME, 1, "more", newer=True), None),
        (call("workers.jobs.drain", {"a": 1}), "other arguments"),
        (call("workers.jobs.drain", NAME, 1, instance="text"), "another function"),
        (call("drain", NAME, 1), "another function"),
        (call("workers.jobs.stores.close"), "another function"),
        (b"[]", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (pickle.dumps(1), "not JSON"),
        (call("workers.jobs.drain", "x" * MOST_BYTES), "too long"),
    ],
)
def test_only_our_functions_with_plain_arguments_are_run(data: bytes, reason: str | None) -> None:
    job = BellJob("an-id", redis.Redis())
    job.restore({b"data": data})
    assert refusal_of(job) == reason


def test_rq_alone_would_have_run_it(server: PrivateServer, tmp_path: Path) -> None:
    """The attack of these tests is one: a plain worker of RQ runs the command."""
    path = tmp_path / "ran"
    put(server, data=call("os.system", f"touch {path}"))
    connection = redis.Redis.from_url(server.url)

    class PlainWorker(SimpleWorker):
        death_penalty_class = TimerDeathPenalty

    queue = Queue(NAME, connection=connection, serializer=JSONSerializer)
    PlainWorker([queue], connection=connection, serializer=JSONSerializer).work(
        burst=True, logging_level="CRITICAL"
    )
    assert path.exists()
