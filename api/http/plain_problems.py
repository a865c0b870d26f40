"""Problems without Flask: for what is answered before a request reaches it."""

import json
from typing import NamedTuple

from api.http.errors import ERROR_RESPONSES
from api.http.idempotency import IN_FLIGHT
from api.http.observing import choose_request_id
from api.http.problems import CONTENT_TYPE, code_of, problem_body
from api.http.responses import NO_CACHE, SAFE_HEADERS
from api.services.errors import NotSignedInError

OVERLOADED = "Too many requests at once. It is safe to repeat the request."
"""The detail of 503 `overloaded`."""


class PlainProblem(NamedTuple):
    """A response with a problem as its body."""

    status: int
    headers: dict[str, str]
    body: bytes


def plain_problem(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str = "",
    headers: dict[str, str] | None = None,
) -> PlainProblem:
    """The same response as `problems.problem` makes. It gets a new request id if none is given."""
    request_id = request_id or choose_request_id("")
    body = problem_body(status, code, detail, request_id=request_id)
    text = json.dumps(body, ensure_ascii=False).encode()
    all_headers = {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(text)),
        "X-Request-Id": request_id,
        "Cache-Control": NO_CACHE,
        **SAFE_HEADERS,
        **(headers or {}),
    }
    return PlainProblem(status, all_headers, text)


def overloaded() -> PlainProblem:
    """503 with Retry-After: the process has too many requests."""
    return plain_problem(
        503,
        "overloaded",
        OVERLOADED,
        headers={"Retry-After": "1"},
    )


def not_signed_in(request_id: str) -> PlainProblem:
    """401: the token is missing or not valid."""
    response = ERROR_RESPONSES[NotSignedInError]
    return plain_problem(
        response.status,
        code_of(NotSignedInError),
        response.detail,
        request_id=request_id,
        headers={"WWW-Authenticate": "Bearer"},
    )


def key_in_flight() -> PlainProblem:
    """409 with Retry-After: the process works on another request with this Idempotency-Key."""
    return plain_problem(409, "idempotency-key-in-flight", IN_FLIGHT, headers={"Retry-After": "1"})
