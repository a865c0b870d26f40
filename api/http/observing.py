"""What operators see of each request: an id, a log line, and counters."""

import itertools
import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

from observing.metrics import REQUEST_SECONDS, REQUESTS

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A client's or proxy's own id is kept if it looks like one; else a new one is drawn."""

_PROCESS = secrets.token_hex(8)
_numbers = itertools.count(secrets.randbits(48))
"""A request's number in its process: drawing 16 random bytes costs a system call."""

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
"""Those counted by name: a client may make up any number of others."""


def register(app: Flask) -> None:
    """Observe every request of the app."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.request_id = request_id(request.headers.get("X-Request-Id", ""))
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def request_id(sent: str) -> str:
    """The id that was sent, if it looks like one, or one that no other request has."""
    if sent and REQUEST_ID.fullmatch(sent):
        return sent
    return f"{_PROCESS}{next(_numbers):016x}"


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    route = request.url_rule.rule if request.url_rule else "(none)"
    seconds = time.perf_counter() - g.began
    method = method_named(request.method)
    REQUESTS.labels(method, route, response.status_code).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    log.info(
        "request",  # without the query string: what is secret may have been put there
        method=request.method,
        route=route,
        path=request.path,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 2),
        client=request.remote_addr,
    )
    return response


def method_named(method: str) -> str:
    """The method, or one name for all that a client may make up."""
    return method if method in METHODS else "(other)"
