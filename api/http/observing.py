"""Observation of requests: an id, a log line and counters for each."""

import itertools
import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

from observing.metrics import REQUEST_SECONDS, REQUESTS

log = structlog.get_logger()

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A valid X-Request-Id of a client or a proxy."""

_PROCESS_ID = secrets.token_hex(8)
_counter = itertools.count(secrets.randbits(48))
"""The number of a request in its process. 16 random bytes for each would cost a system call."""

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
"""Methods with a label of their own. Clients can invent any number of others."""


def register(app: Flask) -> None:
    """Observe every request of the app."""
    app.before_request(_start_request)
    app.after_request(_finish_request)


def choose_request_id(sent: str) -> str:
    """The id that was sent, if it is valid; else a new unique id."""
    if sent and REQUEST_ID.fullmatch(sent):
        return sent
    return f"{_PROCESS_ID}{next(_counter):016x}"


def method_label(method: str) -> str:
    """The method as a label: `(other)` for an invented one."""
    return method if method in METHODS else "(other)"


def _start_request() -> None:
    g.request_id = choose_request_id(request.headers.get("X-Request-Id", ""))
    g.start_time = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish_request(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    route = request.url_rule.rule if request.url_rule else "(none)"
    seconds = time.perf_counter() - g.start_time
    method = method_label(request.method)
    REQUESTS.labels(method, route, response.status_code).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    log.info(
        "request",  # without the query string, which may contain a secret
        method=request.method,
        route=route,
        path=request.path,
        status=response.status_code,
        milliseconds=round(seconds * 1000, 2),
        client=request.remote_addr,
    )
    return response
