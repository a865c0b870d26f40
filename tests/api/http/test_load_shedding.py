"""Case 44. More requests than a process works on: a short line, then 503 at once."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from api.http import load_shedding
from api.http.load_shedding import LoadShedding
from tests.support.eventually import eventually
from tests.support.maker import run_together

Answered = tuple[str, dict[str, str], bytes]


class Slow:
    """An app whose answers come when they are let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.at_work = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(
        self, _environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        with self._lock:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        self.let.wait(30)
        with self._lock:
            self.at_work -= 1
        start_response("200 OK", [])
        return [b"done"]


def asked(gate: LoadShedding, path: str = "/v1/me/feed") -> Answered:
    told: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    body = gate(environ, lambda status, headers: told.extend([status, dict(headers)]))
    return told[0], told[1], b"".join(body)


@pytest.fixture
def slow() -> Iterable[Slow]:
    slow = Slow()
    yield slow
    slow.let.set()


@pytest.fixture
def full(slow: Slow) -> LoadShedding:
    """Two are at work, and nobody more may be."""
    gate = LoadShedding(slow, at_once=2)
    for _ in range(2):
        threading.Thread(target=asked, args=(gate,), daemon=True).start()
    eventually(lambda: slow.at_work == 2)
    return gate


def test_who_has_waited_in_vain_is_told_when_to_come_again(full: LoadShedding, slow: Slow) -> None:
    began = time.monotonic()
    status, headers, body = asked(full)
    assert time.monotonic() - began >= load_shedding.WAIT_SECONDS
    problem = json.loads(body)
    assert (status, problem["code"], problem["status"]) == (
        "503 Service Unavailable",
        "overloaded",
        503,
    )
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Retry-After"] == "1"
    assert headers["X-Request-Id"] == problem["request_id"]
    assert slow.most == 2


def test_after_that_only_a_short_line_waits_and_the_others_are_refused_at_once(
    full: LoadShedding,
) -> None:
    asked(full)

    def timed() -> float:
        began = time.monotonic()
        assert asked(full)[0].startswith("503")
        return time.monotonic() - began

    seconds = sorted(float(str(one)) for one in run_together(*[timed] * 12))
    assert max(seconds[: -load_shedding.BUSY_LINE - 1]) < load_shedding.WAIT_SECONDS / 2


def test_who_waits_is_served_when_a_turn_is_free(full: LoadShedding, slow: Slow) -> None:
    threading.Timer(0.1, slow.let.set).start()
    assert [one[0] for one in run_together(*[lambda: asked(full)] * 8)] == ["200 OK"] * 8  # type: ignore[index]
    assert slow.most == 2


def test_an_app_that_fails_gives_its_turn_back() -> None:
    def failing(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise OSError

    gate = LoadShedding(failing, at_once=1)
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 - any will do
            asked(gate)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_who_watches_over_the_process_is_never_refused(
    full: LoadShedding, slow: Slow, path: str
) -> None:
    threading.Timer(0.1, slow.let.set).start()
    asked_at = time.monotonic()
    assert asked(full, path)[0] == "200 OK"
    assert slow.most == 3
    assert time.monotonic() - asked_at < 5
