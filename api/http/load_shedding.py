"""What a process does not take on: beyond a few requests at once, and a short wait, it is 503.

The server hands a request to any thread that is free, and keeps the others where nobody can see how
long they wait. So it is given many threads, of which a few work; the rest stand in line here, or
say 503 at once when the line has become too long. Else the line would grow until each answer came
after its client had gone, and nobody were served at all.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from api.http.observing import method_named
from api.http.observing import request_id as new_request_id
from api.http.problems import CONTENT_TYPE
from bounds.turns import Turns
from observing.metrics import REQUESTS

AT_ONCE = 8
"""Requests that a process works on: most of their time they wait for a store. With four, pages of
the feed came at four fifths of the rate; more would only take the core from one another."""

WAIT_SECONDS = 0.5
"""How long a request waits for its turn."""

BUSY_SECONDS = 1.0
"""After one has waited in vain: for so long hardly anybody waits."""

BUSY_LINE = 4
"""Who waits all the same, so that none of those at work ever waits for work."""

ALWAYS = frozenset({"/livez", "/readyz"})
"""Asked by who would end a process that does not answer."""

_DETAIL = "Too many requests at once. The same request again is safe."

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LoadShedding:
    """A WSGI app before another one, which lets so many requests through at a time."""

    def __init__(self, app: WsgiApp, at_once: int = AT_ONCE) -> None:
        self._app = app
        self._turns = Turns(
            at_once,
            wait_seconds=WAIT_SECONDS,
            busy_seconds=BUSY_SECONDS,
            busy_line=BUSY_LINE,
        )

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """The app's answer, or 503."""
        if environ.get("PATH_INFO") in ALWAYS:
            return self._app(environ, start_response)
        if not self._turns.take():
            return _refused(environ, start_response)
        try:
            return self._app(environ, start_response)
        finally:
            self._turns.give_back()


def _refused(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The problem, made without the app: it has to cost next to nothing."""
    REQUESTS.labels(method_named(environ.get("REQUEST_METHOD", "")), "(overload)", 503).inc()
    request_id = new_request_id("")
    body = {
        "type": "urn:photofeed:problem:overloaded",
        "title": "Overloaded",
        "status": 503,
        "detail": _DETAIL,
        "code": "overloaded",
        "request_id": request_id,
    }
    headers = [
        ("Content-Type", CONTENT_TYPE),
        ("Retry-After", "1"),
        ("X-Request-Id", request_id),
        ("Cache-Control", "private, no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response("503 Service Unavailable", headers)
    return [json.dumps(body).encode()]
