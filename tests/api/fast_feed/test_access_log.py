"""The access log of the loop: the lines of Flask, in batches, and nothing lost without a count."""

import json
import logging
import math
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from api.fast_feed import access_log as module
from api.fast_feed.access_log import BATCH_SIZE, AccessLog
from tests.support.eventually import eventually
from tests.support.failing_output import FULL, Output

NEVER_SECONDS = 3_600.0

BOTH_LINES = """
import structlog, time
from flask import Flask
from api.fast_feed.access_log import AccessLog
from api.http import observing
from observing import logs

logs.configure("api")
app = Flask("app")
observing.register(app)

@app.get("/v1/me/feed")
def feed():
    structlog.contextvars.bind_contextvars(viewer_id=77)
    return "", 304

client = 'Öl "1"\\\\2, 10.0.0.1'
headers = {"X-Request-Id": "of-this-test"}
app.test_client().get("/v1/me/feed?cursor=x", headers=headers, environ_base={"REMOTE_ADDR": client})
log = AccessLog("/v1/me/feed")
log.add(time.perf_counter(), 304, "of-this-test", 77, client, from_window=True)
log.close()
"""
"""A program that lets Flask and then the loop log the same response."""


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    output = Output()
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=output))  # pytest replaces sys.stdout
    return output


@pytest.fixture
def quick_log() -> Iterator[AccessLog]:
    """A log that is flushed by its thread."""
    log = AccessLog("/quick")
    yield log
    log.close()


@pytest.fixture
def slow_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[AccessLog]:
    """A log that only the test flushes."""
    monkeypatch.setattr(module, "FLUSH_SECONDS", NEVER_SECONDS)
    log = AccessLog("/slow")
    yield log
    log.close()


def add(log: AccessLog, *request_ids: Any, status: int = 200, from_window: bool = True) -> None:
    for request_id in request_ids:
        log.add(time.perf_counter(), status, str(request_id), 7, "::1", from_window=from_window)


def sample(name: str, **labels: Any) -> float:
    """The value of one of our metrics."""
    texts = {label: str(value) for label, value in labels.items()}
    return REGISTRY.get_sample_value(f"photofeed_{name}", texts) or 0.0


def lost() -> float:
    return sample("fail_open_total", what="access log")


def test_the_loop_logs_the_same_line_as_flask() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOTH_LINES], capture_output=True, text=True, check=True
    )
    texts = [line for line in done.stdout.splitlines() if "of-this-test" in line]
    of_flask, of_loop = (json.loads(text) for text in texts)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", of_loop["time"])
    for line in (of_flask, of_loop):
        assert 0 <= line.pop("milliseconds") < 60_000
        assert line.pop("time")
    assert of_flask == of_loop
    names = [re.findall(r'"(\w+)":', text) for text in texts]
    assert names[0][:7] == names[1][:7], "the order that people read"
    escaped = [re.search(r'"client": (".*"), "event"', text) for text in texts]
    assert escaped[0]
    assert escaped[1]
    assert escaped[0][1] == escaped[1][1]


def test_lines_are_written_in_batches_and_in_order(output: Output, slow_log: AccessLog) -> None:
    add(slow_log, *range(3 * BATCH_SIZE + 5))
    assert not output.writes
    slow_log.flush()
    assert output.request_ids == [str(n) for n in range(3 * BATCH_SIZE + 5)]
    assert len(output.writes) == math.ceil(len(output.request_ids) / BATCH_SIZE)
    slow_log.flush()
    assert len(output.writes) == 4


def test_lines_are_written_soon(output: Output, quick_log: AccessLog) -> None:
    add(quick_log, "a", "b")
    eventually(lambda: output.request_ids == ["a", "b"], seconds=10)


def test_closing_writes_what_is_buffered(output: Output, slow_log: AccessLog) -> None:
    add(slow_log, "last")
    slow_log.pass_on()
    before = sample("front_passed_on_total")
    slow_log.close()
    assert output.request_ids == ["last"]
    assert sample("front_passed_on_total") == before + 1


def test_responses_beyond_the_bound_are_only_counted(
    output: Output, slow_log: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED", 10)
    before = lost()
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            add(slow_log, *range(250))
            slow_log.flush()
        slow_log.flush()
    assert output.request_ids == [str(n) for n in range(10)] * 2
    assert lost() == before + 480
    assert [(line["event"], line["lines"]) for line in logs] == [("failed open", 240)] * 2


def test_a_flush_ends_while_others_add(output: Output, slow_log: AccessLog) -> None:
    output.on_write = lambda: add(slow_log, *range(BATCH_SIZE)) if len(output.writes) < 9 else None
    add(slow_log, "first")
    slow_log.flush()
    assert output.request_ids == ["first"]


def test_an_error_of_the_output_loses_a_batch_and_does_not_end_the_thread(
    output: Output, quick_log: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lost()
    monkeypatch.setattr(module, "log", output.logger())
    output.failure = FULL
    add(quick_log, *range(BATCH_SIZE))
    eventually(lambda: lost() == before + BATCH_SIZE, seconds=10)
    eventually(lambda: output.failed >= 2, seconds=10)  # the line about it failed too
    output.failure = None
    add(quick_log, "after")
    eventually(lambda: output.request_ids == ["after"], seconds=10)


def test_each_response_is_counted_once(output: Output, slow_log: AccessLog) -> None:
    def counts() -> list[float]:
        return [
            sample("requests_total", method="GET", route="/slow", status=200),
            sample("requests_total", method="GET", route="/slow", status=304),
            sample("requests_total", method="(other)", route="(overload)", status=503),
            sample("requests_total", method="GET", route="(overload)", status=408),
            sample("request_seconds_count", method="GET", route="/slow"),
            sample("timeline_reads_total", source="window"),
            sample("front_passed_on_total"),
        ]

    before = counts()
    for _ in range(2):
        add(slow_log, 1, 2, 3)
        add(slow_log, 4, status=304, from_window=False)
        slow_log.count("INVENTED", 503)
        slow_log.count("GET", 408)
        slow_log.count("GET", 408)
        slow_log.pass_on()
        slow_log.flush()
        slow_log.flush()
    after = [now - then for now, then in zip(counts(), before, strict=True)]
    assert after == [6, 2, 2, 4, 8, 6, 2]
    assert output.request_ids


def test_counts_are_exact_while_the_thread_reports(quick_log: AccessLog, output: Output) -> None:
    before = sample("front_passed_on_total")
    busy = sample("requests_total", method="PUT", route="(overload)", status=503)
    end = time.monotonic() + 0.5
    flushing = threading.Thread(target=_flush_until, args=(quick_log, end))
    flushing.start()
    count = 0
    while time.monotonic() < end:
        for _ in range(100):
            quick_log.pass_on()
            quick_log.count("PUT", 503)
        count += 100
    flushing.join()
    quick_log.flush()
    assert sample("front_passed_on_total") == before + count
    assert sample("requests_total", method="PUT", route="(overload)", status=503) == busy + count
    assert not output.request_ids


def _flush_until(log: AccessLog, end: float) -> None:
    while time.monotonic() < end:
        log.flush()


def test_a_log_above_the_level_has_no_lines_but_counts(
    output: Output, slow_log: AccessLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings_only = structlog.make_filtering_bound_logger(logging.WARNING)
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, wrapper_class=warnings_only))
    before = sample("requests_total", method="GET", route="/slow", status=200)
    add(slow_log, "silent")
    slow_log.flush()
    assert not output.writes
    assert sample("requests_total", method="GET", route="/slow", status=200) == before + 1
