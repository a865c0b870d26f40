"""Flask behind the loop: bodies, turns, failures, clients that go away."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from api.http import load_shedding
from api.http.parsing import MAX_BODY_BYTES
from api.loop import flask_adapter
from api.loop.flask_adapter import FlaskAdapter
from api.loop.messages import Answer, Scope, WsgiApp
from api.loop.threads import OverloadedError
from tests.support.asgi import GONE, Exchange, body_messages, call, scope_of
from tests.support.eventually import eventually
from tests.support.slow_app import SlowApp

Seen = list[dict[str, Any]]
CHUNKED = (b"transfer-encoding", b"chunked")


def length(value: int) -> tuple[bytes, bytes]:
    return b"content-length", str(value).encode()


class Recorder:
    """An application that records each environ with its body, and answers `done`."""

    def __init__(self) -> None:
        self.environs: Seen = []
        self.bodies: list[bytes] = []

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self.environs.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        start_response("201 CREATED", [("X-Name", "é"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])
        return [b"do", b"ne"]


class Closing:
    """A response whose `close` is recorded. Raises in its middle if `fails`."""

    def __init__(self, *, fails: bool = False) -> None:
        self.closed = 0
        self._fails = fails

    def __iter__(self) -> Iterator[bytes]:
        yield b"one"
        if self._fails:
            raise OSError("in the middle")
        yield b"two"

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def slow_app() -> Iterator[SlowApp]:
    slow_app = SlowApp()
    yield slow_app
    slow_app.released.set()


@pytest.fixture
def counts() -> Counter[tuple[str, int]]:
    """What the adapter has counted."""
    return Counter()


@pytest.fixture
def adapter_of(
    counts: Counter[tuple[str, int]],
) -> Iterator[Callable[..., FlaskAdapter]]:
    """A function that makes an adapter of an application. Its threads end with the test."""
    adapters: list[FlaskAdapter] = []

    def make(app: WsgiApp, threads: int = 2) -> FlaskAdapter:
        adapters.append(
            FlaskAdapter(
                app, threads=threads, count=lambda method, status: counts.update([(method, status)])
            )
        )
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.close()


def post(*headers: tuple[bytes, bytes], method: str = "POST") -> Scope:
    return scope_of(method, "/v1/accounts", headers)


def problem_of(answer: Answer) -> tuple[int, str]:
    headers = dict(answer.headers)
    problem = json.loads(answer.body)
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"x-request-id"].decode() == problem["request_id"]
    assert problem["status"] == answer.status
    return answer.status, problem["code"]


# Bodies


def test_a_body_arrives_whole(adapter_of: Callable[..., FlaskAdapter], recorder: Recorder) -> None:
    adapter = adapter_of(recorder)
    asyncio.run(call(adapter, post(length(6)), *body_messages(b"abc", b"", b"def")))
    asyncio.run(call(adapter, post(CHUNKED), *body_messages(b"gh", b"i")))
    assert recorder.bodies == [b"abcdef", b"ghi"]
    assert [environ.get("CONTENT_LENGTH") for environ in recorder.environs] == ["6", None]


def test_a_request_without_a_body_is_not_read(
    adapter_of: Callable[..., FlaskAdapter], recorder: Recorder
) -> None:
    exchange = Exchange([GONE])  # a server could say this at once: nobody sends anything more
    asyncio.run(adapter_of(recorder)(post(), exchange.receive, exchange.send))
    assert exchange.received == 0
    assert exchange.answer.status == 201


@pytest.mark.parametrize("declared", [MAX_BODY_BYTES + 1, 10**30])
def test_a_body_that_is_declared_too_large_is_left_to_the_application_unread(
    adapter_of: Callable[..., FlaskAdapter], recorder: Recorder, declared: int
) -> None:
    exchange = Exchange(body_messages(b"x" * 1000))
    asyncio.run(adapter_of(recorder)(post(length(declared)), exchange.receive, exchange.send))
    assert exchange.received == 0
    assert recorder.environs[0]["CONTENT_LENGTH"] == str(declared)
    assert recorder.bodies == [b""]


def test_a_body_in_chunks_is_read_until_it_is_too_large(
    adapter_of: Callable[..., FlaskAdapter], recorder: Recorder
) -> None:
    exchange = Exchange(body_messages(*[b"x" * 1000] * 1000))
    asyncio.run(adapter_of(recorder)(post(CHUNKED), exchange.receive, exchange.send))
    assert MAX_BODY_BYTES < len(recorder.bodies[0]) <= MAX_BODY_BYTES + 1000


def test_a_body_of_the_largest_size_is_read_whole(
    adapter_of: Callable[..., FlaskAdapter], recorder: Recorder
) -> None:
    body = b"x" * MAX_BODY_BYTES
    asyncio.run(call(adapter_of(recorder), post(length(len(body))), *body_messages(body)))
    assert recorder.bodies == [body]


def test_a_body_that_does_not_arrive_is_408_and_closes_the_connection(
    adapter_of: Callable[..., FlaskAdapter],
    recorder: Recorder,
    counts: Counter[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flask_adapter, "BODY_SECONDS", 0.1)
    first_part = {"type": "http.request", "body": b"ab", "more_body": True}
    answer = asyncio.run(call(adapter_of(recorder), post(length(3)), first_part))
    assert problem_of(answer) == (408, "request-timeout")
    assert dict(answer.headers)[b"connection"] == b"close"
    assert counts == {("POST", 408): 1}
    assert recorder.environs == []


def test_a_body_with_an_early_end_is_400_without_the_application(
    adapter_of: Callable[..., FlaskAdapter], recorder: Recorder, counts: Counter[tuple[str, int]]
) -> None:
    first_part = {"type": "http.request", "body": b"ab", "more_body": True}
    answer = asyncio.run(call(adapter_of(recorder), post(length(3)), first_part, GONE))
    assert problem_of(answer) == (400, "bad-request")
    assert dict(answer.headers)[b"connection"] == b"close"
    assert (recorder.environs, counts) == ([], {("POST", 400): 1})


# Responses


def test_a_response_keeps_its_status_headers_and_body(
    adapter_of: Callable[..., FlaskAdapter], recorder: Recorder
) -> None:
    answer = asyncio.run(call(adapter_of(recorder), scope_of()))
    assert answer == Answer(
        201,
        [(b"x-name", b"\xe9"), (b"set-cookie", b"a"), (b"set-cookie", b"b")],
        b"done",
    )


@pytest.mark.parametrize("fails", [False, True])
def test_a_response_is_closed_once(adapter_of: Callable[..., FlaskAdapter], fails: bool) -> None:
    response = Closing(fails=fails)

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return response

    answer = asyncio.run(call(adapter_of(app), scope_of()))
    assert (answer.status, response.closed) == (500 if fails else 200, 1)


def test_a_lazy_application_starts_its_response_late(
    adapter_of: Callable[..., FlaskAdapter],
) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"late"

    assert asyncio.run(call(adapter_of(app), scope_of())) == Answer(200, [], b"late")


def test_an_application_that_raises_is_a_500_problem_and_gives_back_its_turn(
    adapter_of: Callable[..., FlaskAdapter],
    counts: Counter[tuple[str, int]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken_app(
        _environ: dict[str, Any], _start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        raise OSError("a secret of ours")

    adapter = adapter_of(broken_app, threads=1)

    async def send_many() -> list[Answer]:
        return [await call(adapter, scope_of(target=path)) for path in ("/", "/", "/livez", "/")]

    answers = asyncio.run(send_many())
    assert [problem_of(answer) for answer in answers] == [(500, "internal-error")] * 4
    assert not any(b"secret" in answer.body for answer in answers)
    assert "a secret of ours" in "".join(capfd.readouterr())
    assert counts == {("GET", 500): 4}


# Turns


def test_two_threads_work_on_two_requests_and_others_wait_for_them(
    adapter_of: Callable[..., FlaskAdapter], slow_app: SlowApp
) -> None:
    adapter = adapter_of(slow_app)

    async def send_many() -> list[Answer]:
        calls = [asyncio.create_task(call(adapter, scope_of())) for _ in range(6)]
        await asyncio.to_thread(eventually, lambda: slow_app.working == 2)
        slow_app.released.set()
        return list(await asyncio.gather(*calls))

    assert [answer.status for answer in asyncio.run(send_many())] == [200] * 6
    assert slow_app.most_working == 2


def test_a_request_that_waited_in_vain_is_503_with_retry_after(
    adapter_of: Callable[..., FlaskAdapter],
    slow_app: SlowApp,
    counts: Counter[tuple[str, int]],
) -> None:
    adapter = adapter_of(slow_app)

    async def send_many() -> list[Answer]:
        calls = [asyncio.create_task(call(adapter, scope_of())) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: slow_app.working == 2)
        start_time = time.monotonic()
        refused = await call(adapter, scope_of("POST"))
        assert time.monotonic() - start_time >= load_shedding.WAIT_SECONDS
        slow_app.released.set()
        return [refused, *await asyncio.gather(*calls)]

    refused, *others = asyncio.run(send_many())
    assert problem_of(refused) == (503, "overloaded")
    assert dict(refused.headers)[b"retry-after"] == b"1"
    assert [answer.status for answer in others] == [200, 200]
    assert counts == {("POST", 503): 1}


def test_in_a_busy_period_few_requests_wait_and_the_others_are_refused_at_once(
    adapter_of: Callable[..., FlaskAdapter], slow_app: SlowApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flask_adapter, "WAIT_SECONDS", 3.0)
    monkeypatch.setattr(flask_adapter, "BUSY_SECONDS", 60.0)
    adapter = adapter_of(slow_app)

    async def seconds_until_503() -> float:
        start_time = time.monotonic()
        assert (await call(adapter, scope_of())).status == 503
        return time.monotonic() - start_time

    async def send_many() -> list[float]:
        calls = [asyncio.create_task(call(adapter, scope_of())) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: slow_app.working == 2)
        await seconds_until_503()
        seconds = await asyncio.gather(*[seconds_until_503() for _ in range(12)])
        slow_app.released.set()
        await asyncio.gather(*calls)
        return sorted(seconds)

    seconds = asyncio.run(send_many())
    at_once = seconds[: -load_shedding.BUSY_QUEUE]
    assert max(at_once) < 1.5


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_are_answered_while_every_thread_is_busy(
    adapter_of: Callable[..., FlaskAdapter], path: str
) -> None:
    busy = SlowApp()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != path:
            return busy(environ, start_response)
        start_response("200 OK", [])
        return [b"alive"]

    adapter = adapter_of(app)

    async def send_many() -> Answer:
        calls = [asyncio.create_task(call(adapter, scope_of())) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: busy.working == 2)
        probe = await call(adapter, scope_of(target=path))
        busy.released.set()
        await asyncio.gather(*calls)
        return probe

    assert asyncio.run(send_many()).body == b"alive"


def test_a_probe_that_hangs_holds_up_no_other_and_does_not_queue_for_ever(
    adapter_of: Callable[..., FlaskAdapter], counts: Counter[tuple[str, int]]
) -> None:
    hanging = SlowApp()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/readyz":
            return hanging(environ, start_response)
        start_response("200 OK", [])
        return [b"alive"]

    adapter = adapter_of(app)

    async def send_many() -> tuple[Answer, Answer, Sequence[Answer]]:
        requests = [
            asyncio.create_task(call(adapter, scope_of(target="/readyz")))
            for _ in range(flask_adapter.MAX_PROBES)
        ]
        await asyncio.to_thread(eventually, lambda: hanging.working)
        refused = await call(adapter, scope_of(target="/readyz"))
        alive = await call(adapter, scope_of(target="/livez"))
        hanging.released.set()
        return alive, refused, await asyncio.gather(*requests)

    alive, refused, others = asyncio.run(send_many())
    assert (alive.status, refused.status) == (200, 503)
    assert {answer.status for answer in others} == {200}
    assert counts == {("GET", 503): 1}


def test_a_caller_that_is_cancelled_keeps_its_turn_until_its_thread_is_free(
    adapter_of: Callable[..., FlaskAdapter], slow_app: SlowApp
) -> None:
    adapter = adapter_of(slow_app)

    async def send_many() -> tuple[Answer, Answer]:
        calls = [asyncio.create_task(call(adapter, scope_of())) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: slow_app.working == 2)
        for cancelled in calls:
            cancelled.cancel()
        refused = await call(adapter, scope_of())
        slow_app.released.set()
        await asyncio.to_thread(eventually, lambda: slow_app.working == 0)
        return refused, await call(adapter, scope_of())

    refused, served = asyncio.run(send_many())
    assert (refused.status, served.status) == (503, 200)
    assert slow_app.most_working == 2


def test_other_work_uses_the_same_turns(
    adapter_of: Callable[..., FlaskAdapter], slow_app: SlowApp
) -> None:
    adapter = adapter_of(slow_app)

    async def work() -> str:
        calls = [asyncio.create_task(call(adapter, scope_of())) for _ in range(2)]
        await asyncio.to_thread(eventually, lambda: slow_app.working == 2)
        with pytest.raises(OverloadedError):
            await adapter.run(lambda: "never")
        slow_app.released.set()
        await asyncio.gather(*calls)
        return await adapter.run(lambda: threading.current_thread().name)

    assert asyncio.run(work()).startswith("flask")
