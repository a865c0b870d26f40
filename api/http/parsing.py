"""What every request must be like before anything looks at it, and how its JSON is read."""

import json
from typing import Any, NoReturn

import flask_smorest
from flask import Request, request
from marshmallow import RAISE, Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    UnsupportedMediaType,
)

MAX_BODY_BYTES = 64 * 1024

MAX_HEADER_BYTES = 16 * 1024


class BodyTooLargeError(RequestEntityTooLarge):
    """More than any call of ours takes."""

    description = "A body has at most 64 kB."


class UnsupportedMediaTypeError(UnsupportedMediaType):
    """A body that is not said to be JSON, or is said to be packed."""

    description = "Send JSON in UTF-8, unpacked: `Content-Type: application/json`."


class MalformedJsonError(BadRequest):
    """A body that is no JSON, or so deep that nobody means it."""

    description = "The body is not JSON in UTF-8."


class RequestHeaderFieldsTooLargeError(RequestHeaderFieldsTooLarge):
    """More headers than any client of ours needs."""

    description = "The headers together have at most 16 kB."


def refuse_huge_headers() -> None:
    """Raises RequestHeaderFieldsTooLargeError."""
    if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADER_BYTES:
        raise RequestHeaderFieldsTooLargeError


def refuse_unfit_body() -> None:
    """Raises BodyTooLargeError, UnsupportedMediaTypeError.

    flask-smorest reads a body of another type as an empty one.
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and not _is_json(request):
        raise UnsupportedMediaTypeError


def _is_json(of: Request) -> bool:
    charset = of.mimetype_params.get("charset", "utf-8").lower()
    encoding = of.headers.get("Content-Encoding", "identity").lower()
    return of.mimetype == "application/json" and charset == "utf-8" and encoding == "identity"


class Parser(FlaskParser):
    """Reads JSON strictly, and refuses unknown fields in bodies and queries alike."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE}  # noqa: RUF012 - webargs's own

    def use_args(self, argmap: Any, *args: Any, **kwargs: Any) -> Any:
        """As webargs has it; but a schema is made once a view: each costs a copy of its fields."""
        made = argmap() if isinstance(argmap, type) else argmap
        return super().use_args(made, *args, **kwargs)

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - webargs's signature
        """The body. Raises MalformedJsonError."""
        data = req.get_data()
        if len(data) > MAX_BODY_BYTES:  # sent in chunks, its size not said before
            raise BodyTooLargeError
        try:
            return _read_json(data)
        except (ValueError, RecursionError):
            raise MalformedJsonError from None


def _read_json(data: bytes) -> Any:
    """Raises ValueError, RecursionError."""
    body = json.loads(data.decode(), parse_constant=_no_number)
    if b"\\u" in data:  # half a surrogate pair cannot be stored, nor told back to the client
        json.dumps(body, ensure_ascii=False).encode()
    return body


def _no_number(_: str) -> NoReturn:
    raise ValueError("JSON has no NaN and no Infinity")


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest is untyped
    """flask-smorest's, reading as above."""

    ARGUMENTS_PARSER = Parser()
