"""Checks of every request before its view runs, and strict parsing of JSON."""

import functools
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
from werkzeug.http import parse_list_header

MAX_BODY_BYTES = 64 * 1024
"""No operation needs more: photos are uploaded to S3."""

USUAL_FORWARDED = 256
"""The longest X-Forwarded-For whose address is remembered. A client can send any other."""

MAX_HEADER_BYTES = 16 * 1024
"""Names and values of all headers together."""


class BodyTooLargeError(RequestEntityTooLarge):
    """The body is above the limit."""

    description = "A body has at most 64 kB."


class UnsupportedMediaTypeError(UnsupportedMediaType):
    """The headers do not declare JSON in UTF-8, or declare a compressed body."""

    description = "Send JSON in UTF-8, not compressed: `Content-Type: application/json`."


class MalformedJsonError(BadRequest):
    """The body is not JSON, or its nesting is too deep."""

    description = "The body is not JSON in UTF-8."


class RequestHeaderFieldsTooLargeError(RequestHeaderFieldsTooLarge):
    """The headers are above the limit."""

    description = "The headers together have at most 16 kB."


def refuse_huge_headers() -> None:
    """Raises RequestHeaderFieldsTooLargeError."""
    if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADER_BYTES:
        raise RequestHeaderFieldsTooLargeError


def refuse_unfit_body() -> None:
    """Raises BodyTooLargeError, UnsupportedMediaTypeError.

    Without this check flask-smorest takes a body of another media type for an empty one.
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and not _is_json(request):
        raise UnsupportedMediaTypeError


def forwarded_client(x_forwarded_for: str, trusted_proxies: int) -> str:
    """The client's address in X-Forwarded-For, as ProxyFix chooses it; empty if it has none."""
    if len(x_forwarded_for) > USUAL_FORWARDED:
        return _parse_forwarded.__wrapped__(x_forwarded_for, trusted_proxies)
    return _parse_forwarded(x_forwarded_for, trusted_proxies)


@functools.lru_cache(maxsize=4096)
def _parse_forwarded(x_forwarded_for: str, trusted_proxies: int) -> str:
    addresses = parse_list_header(x_forwarded_for)
    return addresses[-trusted_proxies] if len(addresses) >= trusted_proxies else ""


def _is_json(req: Request) -> bool:
    """Whether the headers declare JSON in UTF-8, not compressed."""
    charset = req.mimetype_params.get("charset", "utf-8").lower()
    encoding = req.headers.get("Content-Encoding", "identity").lower()
    return req.mimetype == "application/json" and charset == "utf-8" and encoding == "identity"


class Parser(FlaskParser):
    """Parses JSON strictly. Refuses unknown fields in bodies and in queries."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE}  # noqa: RUF012 - as in webargs

    def use_args(self, argmap: Any, *args: Any, **kwargs: Any) -> Any:
        """As in webargs, but with one schema for each view: an instance copies all its fields."""
        schema = argmap() if isinstance(argmap, type) else argmap
        return super().use_args(schema, *args, **kwargs)

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - as in webargs
        """The parsed body. Raises MalformedJsonError, BodyTooLargeError."""
        data = req.get_data()
        if len(data) > MAX_BODY_BYTES:  # sent in chunks, without a Content-Length
            raise BodyTooLargeError
        try:
            return _read_json(data)
        except (ValueError, RecursionError):
            raise MalformedJsonError from None


def _read_json(data: bytes) -> Any:
    """Raises ValueError, RecursionError."""
    body = json.loads(data.decode(), parse_constant=_refuse_constant)
    if b"\\u" in data:  # half a surrogate pair cannot be encoded, so it cannot be stored
        json.dumps(body, ensure_ascii=False).encode()
    return body


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("JSON has no NaN and no Infinity")


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest is untyped
    """flask-smorest's Blueprint with our parser."""

    ARGUMENTS_PARSER = Parser()
