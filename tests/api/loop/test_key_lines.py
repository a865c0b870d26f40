"""Case 56. Requests with one Idempotency-Key: one has a thread, the others wait on the loop."""

import asyncio
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from api.http.idempotency import HEADER, PATHS, line_of
from api.loop import key_lines
from api.loop.key_lines import KeyInFlightError, KeyLines
from graph import Graph
from tests.support.asgi_client import LoopApp, client_of
from tests.support.eventually import eventually
from tests.support.loops import eventually_on_loop, on_loop
from tests.support.people import Builders, call_api, send_post
from tests.support.town import Town
from tests.support.transports import ApiResponse, Transport

TOGETHER = 20
"""Requests with one key at once."""
LOCKED_SECONDS = 0.9
"""Longer than a request waits for a thread, and shorter than for a lock."""
LINE = ("Bearer pf_token", "key")
OTHER_LINE = ("Bearer pf_token", "another key")


class LoopTransport:
    """Sends requests to the ASGI application around an app, whatever the other tests do."""

    def __init__(self, app: Flask) -> None:
        self._client = client_of(app)

    def send(self, method: str, path: str, **request: Any) -> ApiResponse:
        response: Any = self._client.open(path, method=method, **request)
        return ApiResponse(response.get_data(), response.status_code, list(response.headers))

    def renew(self) -> Transport:
        return self


@pytest.fixture
def on_the_loop(app: Flask) -> LoopTransport:
    return LoopTransport(app)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(TOGETHER) as pool:
        yield pool


def working_threads(transport: LoopTransport) -> int:
    """Threads of Flask that work on a request now."""
    loop_app: Any = transport._client.application
    assert isinstance(loop_app, LoopApp)
    adapter: Any = loop_app.app._default
    return adapter._threads._executor._max_workers - adapter._threads._turns._free  # type: ignore[no-any-return]


# Case 56
def test_twenty_requests_with_one_key_get_one_201_and_else_200_or_409(
    builders: Builders, graph: Graph, on_the_loop: LoopTransport, pool: ThreadPoolExecutor
) -> None:
    author = builders.new_user().on(on_the_loop)
    author.get("/v1/me")
    draft, key = builders.draft(author), secrets.token_hex(8)

    def send(_: int) -> tuple[int, str | None]:
        response = send_post(author, draft, key)
        return response.status_code, response.json.get("id")

    with Town(graph).locked(author.id) as other:  # the first one takes longer than a wait
        sent = [pool.submit(send, number) for number in range(TOGETHER)]
        timer = threading.Timer(LOCKED_SECONDS, other.commit)
        timer.start()
        answers = [answer.result(60) for answer in sent]
        timer.join()
    statuses = Counter(status for status, _ in answers)
    assert statuses[201] == 1
    assert statuses[200] > 0
    assert set(statuses) <= {200, 201, 409}
    assert len({post_id for status, post_id in answers if status in (200, 201)}) == 1


# Case 56
def test_eight_requests_that_wait_for_a_key_leave_the_threads_to_others(
    builders: Builders, graph: Graph, on_the_loop: LoopTransport, pool: ThreadPoolExecutor
) -> None:
    author, other = (builders.new_user().on(on_the_loop) for _ in range(2))
    draft = builders.draft(author)
    other.get("/v1/me")
    with Town(graph).uncommitted_key(author.id, "held"):  # by a request of another process
        waiting = [pool.submit(send_post, author, draft, "held") for _ in range(8)]
        eventually(lambda: working_threads(on_the_loop) > 0)
        for _ in range(20):
            assert other.get("/v1/me").status_code == 200
            assert working_threads(on_the_loop) <= 2
        statuses = statuses_of(waiting)
    assert statuses == {409: 8}
    assert send_post(author, draft, "held").status_code == 201


# Case 56
def test_another_user_does_not_wait_for_a_key_of_the_same_text(
    builders: Builders, graph: Graph, on_the_loop: LoopTransport, pool: ThreadPoolExecutor
) -> None:
    author, other = (builders.new_user().on(on_the_loop) for _ in range(2))
    draft = builders.draft(author)
    with Town(graph).uncommitted_key(author.id, "one"):
        waiting = [pool.submit(send_post, author, draft, "one")]
        eventually(lambda: working_threads(on_the_loop) > 0)
        assert send_post(other, builders.draft(other), "one").status_code == 201
        assert statuses_of(waiting) == {409: 1}


def statuses_of(requests: list[Future[ApiResponse]]) -> Counter[int]:
    return Counter(request.result(60).status_code for request in requests)


@on_loop
async def test_one_request_of_a_line_works_at_a_time() -> None:
    lines, working, most = KeyLines(), 0, 0

    async def work() -> str:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.001)
        working -= 1
        return "done"

    answers = await asyncio.gather(*(lines.run(LINE, work) for _ in range(TOGETHER)))
    assert answers == ["done"] * TOGETHER
    assert most == 1
    assert lines._lines == {}


@on_loop
async def test_a_request_whose_caller_is_gone_keeps_its_turn_until_it_is_done() -> None:
    lines, end = KeyLines(), asyncio.Event()
    gone = asyncio.create_task(lines.run(LINE, end.wait))
    await eventually_on_loop(lambda: LINE in lines._lines)
    await asyncio.sleep(0)
    gone.cancel()
    following = asyncio.create_task(lines.run(LINE, end.wait))
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await lines.run(OTHER_LINE, _answer) == "answer"
    assert not following.done()
    end.set()
    assert await following
    assert lines._lines == {}


@on_loop
async def test_a_request_that_waited_in_vain_and_one_too_many_are_refused() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_lines, "WAIT_SECONDS", 0.05)
        patch.setattr(key_lines, "MOST_CALLERS", 2)
        lines, end = KeyLines(), asyncio.Event()
        first = asyncio.create_task(lines.run(LINE, end.wait))
        await eventually_on_loop(lambda: LINE in lines._lines)
        second = asyncio.create_task(lines.run(LINE, end.wait))
        await eventually_on_loop(lambda: lines._lines[LINE].callers == 2)
        began = time.monotonic()
        with pytest.raises(KeyInFlightError):
            await lines.run(LINE, end.wait)
        assert time.monotonic() - began < 0.05
        with pytest.raises(KeyInFlightError):
            await second
        end.set()
        assert await first
        assert lines._lines == {}


@on_loop
async def test_a_request_that_fails_gives_its_turn_to_the_next() -> None:
    lines = KeyLines()

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lines.run(LINE, fail)
    assert await lines.run(LINE, _answer) == "answer"
    assert lines._lines == {}


async def _answer() -> str:
    return "answer"


REQUEST = {
    "REQUEST_METHOD": "POST",
    "PATH_INFO": "/v1/me/feed",
    "HTTP_IDEMPOTENCY_KEY": "k",
    "HTTP_AUTHORIZATION": "Bearer t",
}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ("Bearer t", "k")),
        ({"PATH_INFO": "/v1/me/photos"}, ("Bearer t", "k")),
        ({"PATH_INFO": "/v1/accounts"}, None),
        ({"PATH_INFO": "/v1/me/photos/1/complete"}, None),
        ({"REQUEST_METHOD": "GET"}, None),
        ({"HTTP_IDEMPOTENCY_KEY": None}, None),
        ({"HTTP_AUTHORIZATION": None}, None),
        ({"HTTP_AUTHORIZATION": ""}, None),
    ],
)
def test_a_line_is_of_one_token_and_key_of_a_route_that_takes_it(
    changes: dict[str, str | None], line: object
) -> None:
    environ = {name: value for name, value in (REQUEST | changes).items() if value is not None}
    assert line_of(environ) == line


def test_the_routes_with_lines_are_those_that_document_the_header(app: Flask) -> None:
    document = call_api(app, "GET", "/openapi.json").json
    documented = {
        path
        for path, operations in document["paths"].items()
        for parameter in operations.get("post", {}).get("parameters", ())
        if parameter.get("name") == HEADER
    }
    assert documented == PATHS
