"""The problems that refuse a stream. Status, code and text are those of the table of errors."""

from http import HTTPStatus

from api.http.errors import ERROR_RESPONSES, STREAMS_RETRY_SECONDS
from api.http.limits import TooManyRequestsError
from api.http.plain_problems import OVERLOADED, PlainProblem, plain_problem
from api.http.problems import code_of
from api.live.requests import UnexpectedBodyError
from storage.errors import StorageUnavailableError

STORE_AWAY = "A store does not answer. It is safe to repeat the request, which then completes."


def refusal_of(error: Exception, request_id: str) -> PlainProblem:
    """The problem of an error that opening a stream raises. Any other error is an overload."""
    if isinstance(error, TooManyRequestsError):
        retry = {"Retry-After": str(error.retry_after)}
        return plain_problem(
            429, "too-many-requests", str(error), request_id=request_id, headers=retry
        )
    if isinstance(error, UnexpectedBodyError):
        return _unexpected_body(request_id)
    if isinstance(error, StorageUnavailableError):
        return _unavailable(f"{error.part}-unavailable", STORE_AWAY, request_id)
    response = ERROR_RESPONSES.get(type(error))
    if response is None:
        return _unavailable("overloaded", OVERLOADED, request_id)
    headers = {} if response.retry_after is None else {"Retry-After": str(response.retry_after)}
    if response.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    code = response.code or code_of(type(error))
    return plain_problem(
        response.status, code, response.detail, request_id=request_id, headers=headers
    )


def method_not_allowed(request_id: str) -> PlainProblem:
    """405: a stream is opened by GET alone."""
    return plain_problem(
        405,
        "method-not-allowed",
        "A stream is opened by GET.",
        request_id=request_id,
        headers={"Allow": "GET"},
    )


def _unexpected_body(request_id: str) -> PlainProblem:
    """400. The body is not read, so the connection ends."""
    return plain_problem(
        400,
        "bad-request",
        "A stream is opened without a body.",
        request_id=request_id,
        headers={"Connection": "close"},
    )


def _unavailable(code: str, detail: str, request_id: str) -> PlainProblem:
    retry = {"Retry-After": str(STREAMS_RETRY_SECONDS)}
    return plain_problem(503, code, detail, request_id=request_id, headers=retry)
