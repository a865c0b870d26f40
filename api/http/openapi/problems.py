"""The problems that operations can return, as the document shows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException

from api.http import plain_problems
from api.http.auth import TokenInQueryError
from api.http.cursors import InvalidCursorError
from api.http.errors import ERROR_RESPONSES
from api.http.limits import GENERAL, TooManyRequestsError
from api.http.parsing import BodyTooLargeError, MalformedJsonError, UnsupportedMediaTypeError
from api.http.problems import CONTENT_TYPE, code_of, problem_body
from api.services.errors import NotSignedInError
from graph.errors import GraphUnavailableError, NotFoundError

_REQUEST_ID = "90c42e46e32eaa1200002e115b9caa34"

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the next try.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "examples": [1]},
    }
}

_AUTHENTICATE = {
    "WWW-Authenticate": {"required": True, "schema": {"type": "string", "enum": ["Bearer"]}}
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedProblem:
    """A problem that an operation can return."""

    status: int
    code: str
    detail: str
    """An example of it, if it varies."""
    meaning: str = ""
    """An explanation, if the example of the detail is not enough."""
    field: str = ""
    """The field that `errors` names."""
    field_message: str = ""
    """The message in `errors`: the detail, if empty."""
    retry_after: bool = False
    """Whether it always has the header."""

    @property
    def example(self) -> dict[str, Any]:
        """The body of the problem."""
        errors = {self.field: [self.field_message or self.detail]} if self.field else None
        return problem_body(
            self.status, self.code, self.detail, request_id=_REQUEST_ID, errors=errors
        )


def problem_of(error: type[Exception]) -> DocumentedProblem:
    """The problem that an error becomes. Raises KeyError for an error without a status."""
    if issubclass(error, HTTPException):
        return DocumentedProblem(
            status=error.code or 500, code=code_of(error), detail=error.description or ""
        )
    if error is TooManyRequestsError:
        return TOO_MANY_REQUESTS
    response = ERROR_RESPONSES[error]
    return DocumentedProblem(
        status=response.status,
        code=response.code or code_of(error),
        detail=response.detail or (error.__doc__ or "").partition("\n")[0],
        field=response.field,
        retry_after=response.retry_after is not None,
    )


def _store_unavailable(part: str) -> DocumentedProblem:
    return DocumentedProblem(
        status=503,
        code=f"{part}-unavailable",
        detail="A store does not answer. It is safe to repeat the request, which then completes.",
        retry_after=True,
    )


TOKEN_IN_QUERY = problem_of(TokenInQueryError)
MALFORMED_JSON = problem_of(MalformedJsonError)
INVALID_CURSOR = problem_of(InvalidCursorError)
NOT_SIGNED_IN = problem_of(NotSignedInError)
NOT_FOUND = problem_of(NotFoundError)
BODY_TOO_LARGE = problem_of(BodyTooLargeError)
UNSUPPORTED_MEDIA_TYPE = problem_of(UnsupportedMediaTypeError)
INVALID_FIELDS = DocumentedProblem(
    status=422,
    code="invalid-fields",
    detail="Invalid: name.",
    meaning="Fields of the body or the query are missing, unknown or not valid; see `errors`.",
    field="name",
    field_message="Missing data for required field.",
)
TOO_MANY_REQUESTS = DocumentedProblem(
    status=429,
    code="too-many-requests",
    detail=f"At most {GENERAL.quota} in {GENERAL.window_seconds} s ({GENERAL.name}).",
    retry_after=True,
)
UNAVAILABLE = (
    DocumentedProblem(
        status=503,
        code="overloaded",
        detail=plain_problems.OVERLOADED,
        retry_after=True,
    ),
    problem_of(GraphUnavailableError),
    *(_store_unavailable(part) for part in ("cache", "queue", "s3")),
)

SHARED_RESPONSES: dict[str, Sequence[DocumentedProblem]] = {
    "TokenInQuery": [TOKEN_IN_QUERY],
    "MalformedRequest": [TOKEN_IN_QUERY, MALFORMED_JSON],
    "InvalidCursor": [TOKEN_IN_QUERY, INVALID_CURSOR],
    "NotSignedIn": [NOT_SIGNED_IN],
    "NotFound": [NOT_FOUND],
    "BodyTooLarge": [BODY_TOO_LARGE],
    "UnsupportedMediaType": [UNSUPPORTED_MEDIA_TYPE],
    "InvalidFields": [INVALID_FIELDS],
    "TooManyRequests": [TOO_MANY_REQUESTS],
    "Unavailable": UNAVAILABLE,
}
"""Responses that many operations have, by their name in the document."""


def responses_of(problems: Iterable[DocumentedProblem]) -> dict[str, Any]:
    """A response for each status: the name of a shared one, else a response of its own."""
    by_status: dict[int, list[DocumentedProblem]] = {}
    for problem in dict.fromkeys(problems):
        by_status.setdefault(problem.status, []).append(problem)
    return {str(status): _shared_or_own(by_status[status]) for status in sorted(by_status)}


def _shared_or_own(problems: Sequence[DocumentedProblem]) -> str | dict[str, Any]:
    for name, shared in SHARED_RESPONSES.items():
        if set(shared) == set(problems):
            return name
    return response_of(problems)


def response_of(problems: Sequence[DocumentedProblem]) -> dict[str, Any]:
    """The response object of problems that have one status."""
    status = problems[0].status
    headers: dict[str, Any] = {}
    if all(problem.retry_after for problem in problems):
        headers |= _RETRY_AFTER
    if status == HTTPStatus.UNAUTHORIZED:
        headers |= _AUTHENTICATE
    examples = {problem.code: {"value": problem.example} for problem in problems}
    return {
        "description": ", ".join(f"`{problem.code}`" for problem in problems),
        "content": {CONTENT_TYPE: {"schema": "Problem", "examples": examples}},
        **({"headers": headers} if headers else {}),
    }
