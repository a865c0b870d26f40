"""Load shedding: a process works on 8 requests at once; others wait up to 0.5 s, then get 503.

granian queues requests until a thread is free, and the process cannot see how long they wait. It
therefore has more threads than requests that it works on. The other threads wait here, or return
503 at once while many wait. Without this bound the queue would grow until every client gives up
before its response.
"""

from collections.abc import Callable, Iterable
from typing import Any

from api.http.observing import method_label
from api.http.plain_problems import overloaded
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

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """The app's response, or 503."""
        if environ.get("PATH_INFO") in PROBES:
            return self._app(environ, start_response)
        if not self._turns.take():
            return _respond_overloaded(environ, start_response)
        try:
            return self._app(environ, start_response)
        finally:
            self._turns.give_back()


def _respond_overloaded(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The 503 problem. It does not use Flask, as it must cost little."""
    REQUESTS.labels(method_label(environ.get("REQUEST_METHOD", "")), "(overload)", 503).inc()
    problem = overloaded()
    start_response("503 Service Unavailable", list(problem.headers.items()))
    return [problem.body]
