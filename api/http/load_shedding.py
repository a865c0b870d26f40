"""Load shedding: a process works on 8 requests at once; others wait up to 0.5 s, then get 503.

granian queues requests until a thread is free, and the process cannot see how long they wait. It
therefore has more threads than requests that it works on. The other threads wait here, or return
503 at once while many wait. Without this bound the queue would grow until every client gives up
before its response.

Of requests with one Idempotency-Key one at a time takes a turn, and one more waits for it.
"""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from api.http.idempotency import WAIT_SECONDS as WAIT_FOR_KEY_SECONDS
from api.http.idempotency import line_of
from api.http.observing import method_label
from api.http.plain_problems import PlainProblem, key_in_flight, overloaded
from bounds.one_each import OneEach
from bounds.turns import Turns
from observing.metrics import REQUESTS

CONCURRENCY = 8
"""Requests worked on at once; most of their time is waiting for a store. Four gave 80 % of the
rate of feed pages. More than eight only compete for the core."""

WAIT_SECONDS = 0.5
"""How long a request waits for its turn."""

BUSY_SECONDS = 1.0
"""After a wait in vain, for so long only BUSY_QUEUE requests wait."""

BUSY_QUEUE = 4
"""Requests that wait in a busy period, so that a turn that ends is used at once."""

PROBES = frozenset({"/livez", "/readyz"})
"""Paths without a bound: a supervisor ends a process that does not answer them."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LoadShedding:
    """WSGI middleware that forwards at most `concurrency` requests at a time."""

    def __init__(self, app: WsgiApp, concurrency: int = CONCURRENCY) -> None:
        self._app = app
        self._turns = Turns(
            concurrency,
            wait_seconds=WAIT_SECONDS,
            busy_seconds=BUSY_SECONDS,
            busy_line=BUSY_QUEUE,
        )
        self._lines = OneEach(wait_seconds=WAIT_FOR_KEY_SECONDS)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """The app's response, or 503."""
        if environ.get("PATH_INFO") in PROBES:
            return self._app(environ, start_response)
        line = line_of(environ)
        if line is None:
            return self._respond_in_turn(environ, start_response)
        try:
            with self._lines.turn(line, _KeyInFlightError):
                return self._respond_in_turn(environ, start_response)
        except _KeyInFlightError:
            return _refuse(environ, start_response, key_in_flight())

    def _respond_in_turn(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if not self._turns.take():
            return _refuse(environ, start_response, overloaded())
        try:
            return self._app(environ, start_response)
        finally:
            self._turns.give_back()


class _KeyInFlightError(Exception):
    """Another request with the Idempotency-Key is in progress."""


def _refuse(
    environ: dict[str, Any], start_response: Callable[..., Any], problem: PlainProblem
) -> Iterable[bytes]:
    """The problem as a response. It does not use Flask, as it must cost little."""
    method = method_label(environ.get("REQUEST_METHOD", ""))
    REQUESTS.labels(method, "(overload)", problem.status).inc()
    status = HTTPStatus(problem.status)
    start_response(f"{status.value} {status.phrase}", list(problem.headers.items()))
    return [problem.body]
