"""Load shedding: a process works on 8 requests at once; others wait up to 0.5 s, then get 503.

granian queues requests until a thread is free, and the process cannot see how long they wait. It
therefore has more threads than requests that it works on. The other threads wait here, or return
503 at once while many wait. Without this bound the queue would grow until every client gives up
before its response.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from api.http.observing import choose_request_id, method_label
from api.http.problems import CONTENT_TYPE
from api.http.responses import NO_CACHE
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

DETAIL = "Too many requests at once. It is safe to repeat the request."

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
    request_id = choose_request_id("")
    body = {
        "type": "urn:photofeed:problem:overloaded",
        "title": "Overloaded",
        "status": 503,
        "detail": DETAIL,
        "code": "overloaded",
        "request_id": request_id,
    }
    headers = [
        ("Content-Type", CONTENT_TYPE),
        ("Retry-After", "1"),
        ("X-Request-Id", request_id),
        ("Cache-Control", NO_CACHE),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response("503 Service Unavailable", headers)
    return [json.dumps(body).encode()]
