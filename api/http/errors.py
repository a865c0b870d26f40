"""Which error is which status: the only such table."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from api.http import limits
from api.http.cursors import InvalidCursorError
from api.http.problems import code_of, code_of_status, flattened, problem
from api.services import errors as refused
from feed.errors import FeedBusyError
from graph import errors as graph_errors
from storage.errors import StorageUnavailableError

log = structlog.get_logger()

NOT_FOUND = "There is nothing here that you may see."
"""Of what is absent and of what is hidden: the two are not told apart."""

AGAIN_SECONDS = 1
"""When to come again after a 503 or a 409 that passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an error is told. Without `detail` the error's own text is."""

    status: int
    detail: str = ""
    code: str = ""
    retry_after: int | None = None
    field: str = ""


ANSWERS: dict[type[Exception], Answer] = {
    InvalidCursorError: Answer(
        status=400, detail="This cursor was not made for you and this route: start without one."
    ),
    refused.IdempotencyKeyMissingError: Answer(
        status=400, detail="Send an Idempotency-Key header of 1 to 255 printable characters."
    ),
    refused.NotSignedInError: Answer(
        status=401, detail="Send a valid token: `Authorization: Bearer pf_…`."
    ),
    refused.WrongCredentialsError: Answer(
        status=401, detail="No user has this username and password."
    ),
    refused.WrongPasswordError: Answer(
        status=403, detail="The current password is another.", field="current_password"
    ),
    graph_errors.NotFoundError: Answer(status=404, detail=NOT_FOUND),
    graph_errors.UsernameTakenError: Answer(
        status=409, detail="Somebody has this username.", field="username"
    ),
    refused.PhotosNotReadyError: Answer(status=409, retry_after=AGAIN_SECONDS),
    refused.NothingUploadedError: Answer(
        status=409, detail="Nothing has been uploaded for this photo yet."
    ),
    refused.IdempotencyKeyInFlightError: Answer(
        status=409,
        detail="A request with this Idempotency-Key is still being answered.",
        retry_after=AGAIN_SECONDS,
    ),
    refused.PostDeletedError: Answer(
        status=410, detail="What this key made has been deleted, with its post."
    ),
    refused.PhotoTooLargeError: Answer(
        status=413, detail="A photo has at most 15,000,000 bytes.", field="size_bytes"
    ),
    refused.UnsupportedPhotoTypeError: Answer(
        status=415,
        detail="A photo is a JPEG, PNG, WebP, HEIC or GIF image.",
        field="content_type",
    ),
    refused.CannotFollowYourselfError: Answer(status=422, detail="Follow somebody else."),
    refused.CannotBlockYourselfError: Answer(status=422, detail="Block somebody else."),
    refused.PhotoFailedError: Answer(status=422, field="photo_ids"),
    refused.PhotoAlreadyPostedError: Answer(
        status=422, detail="A photo can be posted once.", field="photo_ids"
    ),
    refused.IdempotencyKeyReusedError: Answer(
        status=422, detail="This Idempotency-Key came with another body before."
    ),
    refused.TooBusyError: Answer(
        status=503, detail="Too many sign-ins at once.", retry_after=AGAIN_SECONDS
    ),
    FeedBusyError: Answer(
        status=503,
        detail="Too many feeds are being read from the graph; try again.",
        retry_after=AGAIN_SECONDS,
    ),
    graph_errors.ClockOffError: Answer(
        status=503, detail="This server's clock is off; try again.", retry_after=5
    ),
    graph_errors.ConstraintViolatedError: Answer(
        status=503,
        code="graph-unavailable",
        detail="Others are writing the same. The same request again is safe.",
        retry_after=AGAIN_SECONDS,
    ),
    graph_errors.GraphUnavailableError: Answer(
        status=503,
        code="graph-unavailable",
        detail="The graph does not answer. The same request again is safe.",
        retry_after=AGAIN_SECONDS,
    ),
}


def register(app: Flask) -> None:
    """Answer every error of a request as a problem."""
    for error, answer in ANSWERS.items():
        app.register_error_handler(error, _told(answer))
    app.register_error_handler(StorageUnavailableError, _storage_unavailable)
    app.register_error_handler(limits.TooManyRequestsError, _too_many)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, _mistake)


def http_problem(error: HTTPException) -> Response:
    """What Flask, werkzeug and webargs raise, as a problem."""
    status = error.code or 500
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:  # webargs's, for fields that do not fit
        return _fields_problem(error)
    own = type(error).__module__.startswith("api.")
    code = code_of(type(error)) if own else code_of_status(status)
    hidden = status == HTTPStatus.NOT_FOUND
    detail = NOT_FOUND if hidden else error.description or code
    return problem(status, code, detail, headers=_headers(error))


def _fields_problem(error: HTTPException) -> Response:
    """Names each field that does not fit; the level that says body or query is left out."""
    messages = (getattr(error, "data", None) or {}).get("messages", {})
    errors: dict[str, list[str]] = {}
    for below in messages.values():
        errors.update(flattened(below))
    detail = f"Look at: {', '.join(errors)}." if errors else "The request does not fit."
    return problem(422, "invalid-fields", detail, errors=errors)


def _told(answer: Answer) -> Callable[[Exception], Response]:
    """The handler that gives this answer."""

    def tell(error: Exception) -> Response:
        headers = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
        if answer.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        code = answer.code or code_of(type(error))
        detail = answer.detail or str(error)
        errors = {answer.field: [detail]} if answer.field else None
        return problem(answer.status, code, detail, errors=errors, headers=headers)

    return tell


def _storage_unavailable(error: StorageUnavailableError) -> Response:
    log.warning("storage unavailable", part=error.part, error=str(error))
    detail = "Part of us does not answer. The same request again is safe and finishes the job."
    headers = {"Retry-After": str(AGAIN_SECONDS)}
    return problem(503, f"{error.part}-unavailable", detail, headers=headers)


def _too_many(error: limits.TooManyRequestsError) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(429, "too-many-requests", str(error), headers=headers)


def _mistake(error: Exception) -> Response:
    """A mistake of ours: everything in the log, nothing in the answer."""
    log.error("uncaught exception", exc_info=error, method=request.method, path=request.path)
    return problem(500, "internal-error", "We made a mistake. It has been written down.")


def _headers(error: HTTPException) -> dict[str, str]:
    """Those that say how to do better: Allow, Retry-After."""
    return {
        name: value
        for name, value in error.get_headers()
        if name.lower() in {"allow", "retry-after", "www-authenticate"}
    }
