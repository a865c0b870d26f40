"""Case 44. More requests than a process works on: a few wait, the others get 503 at once."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from api.http import load_shedding
from api.http.load_shedding import LoadShedding
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.slow_app import SlowApp

WsgiResult = tuple[str, dict[str, str], bytes]


def send(shedding: LoadShedding, path: str = "/v1/me/feed", *, key: str = "") -> WsgiResult:
    start: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    if key:
        environ |= {
            "REQUEST_METHOD": "POST",
            "HTTP_IDEMPOTENCY_KEY": key,
            "HTTP_AUTHORIZATION": "Bearer t",
        }
    body = shedding(environ, lambda status, headers: start.extend([status, dict(headers)]))
    return start[0], start[1], b"".join(body)


@pytest.fixture
def slow_app() -> Iterable[SlowApp]:
    slow_app = SlowApp()
    yield slow_app
    slow_app.released.set()


@pytest.fixture
def full(slow_app: SlowApp) -> LoadShedding:
    """Load shedding with both of its turns in use."""
    shedding = LoadShedding(slow_app, concurrency=2)
    for _ in range(2):
        threading.Thread(target=send, args=(shedding,), daemon=True).start()
    eventually(lambda: slow_app.working == 2)
    return shedding


def test_a_request_that_waited_in_vain_is_503_with_retry_after(
    full: LoadShedding, slow_app: SlowApp
) -> None:
    start_time = time.monotonic()
    status, headers, body = send(full)
    assert time.monotonic() - start_time >= load_shedding.WAIT_SECONDS
    problem = json.loads(body)
    assert (status, problem["code"], problem["status"]) == (
        "503 Service Unavailable",
        "overloaded",
        503,
    )
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Retry-After"] == "1"
    assert headers["X-Request-Id"] == problem["request_id"]
    assert slow_app.most_working == 2


def test_in_a_busy_period_few_requests_wait_and_the_others_are_refused_at_once(
    full: LoadShedding,
) -> None:
    send(full)

    def seconds_until_503() -> float:
        start_time = time.monotonic()
        assert send(full)[0].startswith("503")
        return time.monotonic() - start_time

    seconds = sorted(float(str(result)) for result in run_together(*[seconds_until_503] * 12))
    assert max(seconds[: -load_shedding.BUSY_QUEUE - 1]) < load_shedding.WAIT_SECONDS / 2


def test_a_waiting_request_is_served_when_a_turn_ends(
    full: LoadShedding, slow_app: SlowApp
) -> None:
    threading.Timer(0.1, slow_app.released.set).start()
    results = run_together(*[lambda: send(full)] * 8)
    assert [result[0] for result in results] == ["200 OK"] * 8  # type: ignore[index]
    assert slow_app.most_working == 2


def test_an_app_that_raises_frees_its_turn() -> None:
    def broken_app(
        _environ: dict[str, Any], _start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        raise OSError

    shedding = LoadShedding(broken_app, concurrency=1)
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 - any OSError
            send(shedding)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_checks_are_never_refused(full: LoadShedding, slow_app: SlowApp, path: str) -> None:
    threading.Timer(0.1, slow_app.released.set).start()
    start_time = time.monotonic()
    assert send(full, path)[0] == "200 OK"
    assert slow_app.most_working == 3
    assert time.monotonic() - start_time < 5


# Case 56
def test_of_requests_with_one_key_one_has_a_turn_and_one_waits(slow_app: SlowApp) -> None:
    shedding = LoadShedding(slow_app, concurrency=8)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(send(shedding, key="k")[0]), daemon=True)
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answers) == 6)
    assert set(answers) == {"409 Conflict"}
    assert slow_app.working == 1
    threading.Thread(target=send, args=(shedding,), daemon=True).start()
    eventually(lambda: slow_app.working == 2)
    slow_app.released.set()
    eventually(lambda: len(answers) == 8)
    assert answers[6:] == ["200 OK"] * 2
