"""A failure inside the fast feed: the view answers, and the request is counted and logged once."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from api.fast_feed import front as front_module
from api.fast_feed.requests import PATH
from feed.graph_pages import charge
from storage import Storage
from tests.api.fast_feed.conftest import counted_pages, create_reader
from tests.support.fast_feed import FastFeedProcess
from tests.support.front import differences
from tests.support.people import Builders, Person, assert_problem


def raise_bug(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("a bug")


FAILING: list[tuple[str, Callable[[FastFeedProcess], tuple[Any, str]]]] = [
    ("parsing", lambda _: (front_module, "parse_request")),
    ("the read of the cache", lambda p: (p.front._cache, "entries")),
    ("the comparison of a kept page", lambda p: (p.front, "_kept_page")),
    ("the read of bodies", lambda p: (p.front._cache, "bodies")),
    ("making a page", lambda p: (p.front._answers, "finish")),
    ("making a response", lambda p: (p.front._answers, "page")),
    ("the page of a thread", lambda _: (front_module, "read_page")),
    ("the access log", lambda p: (p.front._log, "add")),
]


@pytest.mark.parametrize("failing", FAILING, ids=lambda failing: failing[0])
def test_the_view_answers_after_a_bug_and_the_request_is_counted_and_logged_once(
    process: FastFeedProcess,
    builders: Builders,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    failing: tuple[str, Callable[[FastFeedProcess], tuple[Any, str]]],
) -> None:
    step, target = failing
    reader = create_reader(builders, storage)
    first = process.get(reader, PATH)
    used, counted = process.used_quota(reader), counted_pages(process)
    if step == "the page of a thread":
        storage.timelines.drop(reader.id)
    elif step in {"the read of bodies", "making a page"}:
        process.forget_pages()
    with monkeypatch.context() as patch:
        patch.setattr(*target(process), raise_bug)
        response = process.get(reader, PATH)
    assert process.forwarded, step
    assert differences(response, first) == {}
    assert process.used_quota(reader) == used + 1
    assert counted_pages(process) == counted + 1
    assert process.front._at_once == 0
    assert process.get(reader, PATH).status_code == 200
    assert not process.forwarded


def test_a_request_that_is_cancelled_leaves_nothing_behind(
    process: FastFeedProcess, reader: Person
) -> None:
    process.get(reader, PATH)

    async def cancel() -> None:
        with reading_at_once(process):
            scope = process.scope(reader)
            task = asyncio.create_task(process.front._answer_or_none(scope))
            await asyncio.sleep(0)  # it has sent its commands
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    process.run(cancel())
    assert process.get(reader, PATH).status_code == 200


@contextmanager
def reading_at_once(process: FastFeedProcess) -> Iterator[None]:
    """Asserts that as many requests and reads are in flight after it as before."""
    front = process.front
    before = front._at_once, dict(front._copies._drop_times._in_flight)
    yield
    assert (front._at_once, front._copies._drop_times._in_flight) == before


def test_the_log_line_is_that_of_the_view(
    process: FastFeedProcess, reader: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = [("Authorization", f"Bearer {reader.token}"), ("X-Request-Id", "of-this-test")]
    process.send("GET", f"{PATH}?limit=3", headers, client='2001:db8::1"')
    assert not process.forwarded
    process.front._log.flush()
    [line] = [line for line in capsys.readouterr().out.splitlines() if "of-this-test" in line]
    assert re.fullmatch(
        r'\{"method": "GET", "route": "/v1/me/feed", "path": "/v1/me/feed", "status": 200, '
        r'"milliseconds": [\d.]+, "client": "2001:db8::1\\"", "event": "request", '
        r'"viewer_id": \d+, "request_id": "of-this-test", "level": "info", '
        r'"time": "[-:.T\d]+Z", "service": "api"\}',
        line,
    )


# Case 46
def test_a_page_beyond_the_readers_time_of_the_graph_is_refused_as_by_the_view(
    process: FastFeedProcess, builders: Builders, storage: Storage
) -> None:
    reader = create_reader(builders, storage)
    assert process.get(reader, PATH).status_code == 200
    charge(storage.limits, reader.id, 1e6)
    assert process.get(reader, PATH).status_code == 200, "the timeline proves the page"
    storage.timelines.drop(reader.id)
    response = process.get(reader, PATH)
    assert_problem(response, 429, "too-many-requests")
    assert not process.forwarded, "a refusal costs no request of Flask"
    assert set(differences(response, process.view(reader, PATH))) <= {"body", "x-request-id"}
