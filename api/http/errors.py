"""The table of errors: the status and the problem of each."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from api.http import limits
from api.http.cursors import InvalidCursorError
from api.http.idempotency import IN_FLIGHT
from api.http.problems import INTERNAL_ERROR, code_of, code_of_status, flatten_messages, problem
from api.services import errors as service_errors
from feed.errors import FeedBusyError, GraphShareUsedError
from graph import errors as graph_errors
from storage.errors import StorageUnavailableError

log = structlog.get_logger()

NOT_FOUND = "There is nothing here, or you may not see it."
"""The detail of 404. It is the same for what is absent and what is hidden from the viewer."""

RETRY_AFTER_SECONDS = 1
"""When to repeat a request after a 503, or after a 409 for something in progress."""

STREAMS_RETRY_SECONDS = 5
"""When to try to open a live stream again after a 429 or 503."""

UPLOADS_RETRY_SECONDS = 86_400
"""When to upload again at the latest; the error knows it exactly."""

EXPORT_RETRY_SECONDS = 10
"""When to look again at an export that is not finished."""

EXPORTS_RETRY_SECONDS = 86_400
"""When to ask for an export again at the latest; the error knows it exactly."""

FORWARDED_HEADERS = frozenset({"allow", "retry-after", "www-authenticate"})
"""Headers of werkzeug's errors that are copied to the problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorResponse:
    """The problem that an error becomes."""

    status: int
    detail: str = ""
    """The error's own text if empty."""
    code: str = ""
    """By the name of the error's class if empty."""
    retry_after: int | None = None
    field: str = ""
    """The field of the request that `errors` names, if any."""
    location: str = ""
    """The path of what is in the way, with the error's attributes in braces, if any."""


ERROR_RESPONSES: dict[type[Exception], ErrorResponse] = {
    InvalidCursorError: ErrorResponse(
        status=400,
        detail="The cursor is not valid for this user and path. Start without a cursor.",
    ),
    service_errors.IdempotencyKeyMissingError: ErrorResponse(
        status=400, detail="Send an Idempotency-Key header of 1 to 255 printable characters."
    ),
    service_errors.NotSignedInError: ErrorResponse(
        status=401, detail="Send a valid token: `Authorization: Bearer pf_…`."
    ),
    service_errors.LiveTicketRefusedError: ErrorResponse(
        status=401, detail="The ticket is used up or too old, or its session has ended."
    ),
    service_errors.WrongCredentialsError: ErrorResponse(
        status=401, detail="No user has this username and password."
    ),
    service_errors.WrongPasswordError: ErrorResponse(
        status=403, detail="The current password is wrong.", field="current_password"
    ),
    service_errors.WrongOwnPasswordError: ErrorResponse(
        status=403, code="wrong-password", detail="The password is wrong.", field="password"
    ),
    service_errors.AccountSuspendedError: ErrorResponse(
        status=403,
        detail="The operators of this service have suspended this account. Write to them.",
    ),
    graph_errors.NotFoundError: ErrorResponse(status=404, detail=NOT_FOUND),
    graph_errors.UsernameTakenError: ErrorResponse(
        status=409, detail="This username is taken.", field="username"
    ),
    graph_errors.PhotoPostedError: ErrorResponse(
        status=409,
        code="photo-already-posted",
        detail="A post shows this photo. Delete the post.",
    ),
    service_errors.PhotosNotReadyError: ErrorResponse(status=409, retry_after=RETRY_AFTER_SECONDS),
    graph_errors.ExportInProgressError: ErrorResponse(
        status=409, retry_after=EXPORT_RETRY_SECONDS, location="/v1/me/exports/{export_id}"
    ),
    service_errors.NothingUploadedError: ErrorResponse(
        status=409, detail="Nothing has been uploaded for this photo yet."
    ),
    service_errors.IdempotencyKeyInFlightError: ErrorResponse(
        status=409,
        detail=IN_FLIGHT,
        retry_after=RETRY_AFTER_SECONDS,
    ),
    service_errors.PostDeletedError: ErrorResponse(
        status=410, detail="The post or photo of this Idempotency-Key is deleted."
    ),
    service_errors.PhotoTooLargeError: ErrorResponse(
        status=413, detail="A photo has at most 15,000,000 bytes.", field="size_bytes"
    ),
    service_errors.UnsupportedPhotoTypeError: ErrorResponse(
        status=415,
        detail="A photo is a JPEG, PNG, WebP, HEIC or GIF image.",
        field="content_type",
    ),
    graph_errors.PushSubscriptionTakenError: ErrorResponse(
        status=409, detail="This endpoint is subscribed with other keys.", field="endpoint"
    ),
    service_errors.PushServiceNotAllowedError: ErrorResponse(
        status=422,
        detail="The endpoint is not one of a push service of Mozilla, Google, Apple or Microsoft.",
        field="endpoint",
    ),
    service_errors.PushNotConfiguredError: ErrorResponse(
        status=501, detail="This server has no key for Web Push."
    ),
    service_errors.CannotFollowYourselfError: ErrorResponse(
        status=422, detail="You cannot follow yourself."
    ),
    graph_errors.FollowLimitReachedError: ErrorResponse(status=422),
    graph_errors.QuietHoursIncompleteError: ErrorResponse(
        status=422,
        detail="New quiet hours need all of start, end and time_zone.",
        field="quiet_hours",
    ),
    service_errors.WeakPasswordError: ErrorResponse(status=422, field="password"),
    service_errors.CannotBlockYourselfError: ErrorResponse(
        status=422, detail="You cannot block yourself."
    ),
    service_errors.CannotReportYourselfError: ErrorResponse(
        status=422, detail="You cannot report yourself or a post of your own."
    ),
    service_errors.PhotoFailedError: ErrorResponse(status=422, field="photo_ids"),
    service_errors.PhotoAlreadyPostedError: ErrorResponse(
        status=422, detail="A photo can be in one post only.", field="photo_ids"
    ),
    service_errors.IdempotencyKeyReusedError: ErrorResponse(
        status=422, detail="This Idempotency-Key was sent with another body before."
    ),
    service_errors.TooManyStreamsError: ErrorResponse(
        status=429, detail="You have too many live streams.", retry_after=STREAMS_RETRY_SECONDS
    ),
    service_errors.CompletionsInProgressError: ErrorResponse(
        status=429,
        code="too-many-requests",
        detail="Other completions of your photos are in progress.",
        retry_after=RETRY_AFTER_SECONDS,
    ),
    service_errors.UploadLimitReachedError: ErrorResponse(
        status=429,
        detail="You have uploaded as much as is allowed in a day.",
        retry_after=UPLOADS_RETRY_SECONDS,
    ),
    graph_errors.ExportLimitReachedError: ErrorResponse(
        status=429,
        detail="You have asked for as many exports as are allowed in a day.",
        retry_after=EXPORTS_RETRY_SECONDS,
    ),
    service_errors.LiveNeedsAsgiError: ErrorResponse(
        status=501, detail="This server has no live streams: it runs wsgi.py."
    ),
    service_errors.TooBusyError: ErrorResponse(
        status=503, detail="Too many sign-ins at once.", retry_after=RETRY_AFTER_SECONDS
    ),
    FeedBusyError: ErrorResponse(
        status=503,
        detail="Too many pages are being read from the graph.",
        retry_after=RETRY_AFTER_SECONDS,
    ),
    graph_errors.ClockOffError: ErrorResponse(
        status=503, detail="The clock of this server is wrong.", retry_after=5
    ),
    graph_errors.ConstraintViolatedError: ErrorResponse(
        status=503,
        code="graph-unavailable",
        detail="Other requests write the same. It is safe to repeat the request.",
        retry_after=RETRY_AFTER_SECONDS,
    ),
    graph_errors.GraphUnavailableError: ErrorResponse(
        status=503,
        code="graph-unavailable",
        detail="The graph does not answer. It is safe to repeat the request.",
        retry_after=RETRY_AFTER_SECONDS,
    ),
}


def register(app: Flask) -> None:
    """Turn every error of a request into a problem."""
    for error, response in ERROR_RESPONSES.items():
        app.register_error_handler(error, _handler_of(response))
    app.register_error_handler(StorageUnavailableError, _storage_problem)
    app.register_error_handler(limits.TooManyRequestsError, _limit_problem)
    app.register_error_handler(GraphShareUsedError, _limit_problem)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, _internal_problem)


def http_problem(error: HTTPException) -> Response:
    """The problem of an error that Flask, werkzeug or webargs raises."""
    status = error.code or 500
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:  # raised by webargs for invalid fields
        return _fields_problem(error)
    is_ours = type(error).__module__.startswith("api.")
    code = code_of(type(error)) if is_ours else code_of_status(status)
    is_hidden = status == HTTPStatus.NOT_FOUND
    detail = NOT_FOUND if is_hidden else error.description or code
    return problem(status, code, detail, headers=_forwarded_headers(error))


def _fields_problem(error: HTTPException) -> Response:
    """The messages of each invalid field, without their top level, `json` or `query`."""
    messages = (getattr(error, "data", None) or {}).get("messages", {})
    errors: dict[str, list[str]] = {}
    for field_messages in messages.values():
        errors.update(flatten_messages(field_messages))
    detail = f"Invalid: {', '.join(errors)}." if errors else "The request is invalid."
    return problem(422, "invalid-fields", detail, errors=errors)


def _handler_of(response: ErrorResponse) -> Callable[[Exception], Response]:
    """The handler of an error with this response."""

    def handle(error: Exception) -> Response:
        retry_after = getattr(error, "retry_after", response.retry_after)
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if response.location:
            headers["Location"] = response.location.format(**vars(error))
        if response.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        code = response.code or code_of(type(error))
        detail = response.detail or str(error)
        errors = {response.field: [detail]} if response.field else None
        return problem(response.status, code, detail, errors=errors, headers=headers)

    return handle


def _storage_problem(error: StorageUnavailableError) -> Response:
    log.warning("storage unavailable", part=error.part, error=str(error))
    detail = "A store does not answer. It is safe to repeat the request, which then completes."
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(503, f"{error.part}-unavailable", detail, headers=headers)


def _limit_problem(error: limits.TooManyRequestsError | GraphShareUsedError) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(429, "too-many-requests", str(error), headers=headers)


def _internal_problem(error: Exception) -> Response:
    """The problem of a bug: the details are in the log alone."""
    log.error("uncaught exception", exc_info=error, method=request.method, path=request.path)
    return problem(500, "internal-error", INTERNAL_ERROR)


def _forwarded_headers(error: HTTPException) -> dict[str, str]:
    return {name: value for name, value in error.get_headers() if name.lower() in FORWARDED_HEADERS}
