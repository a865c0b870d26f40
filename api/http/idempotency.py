"""The Idempotency-Key header of a request."""

import re
from collections.abc import Mapping
from typing import Any

from flask import request

from api.services.errors import (
    IdempotencyKeyInFlightError,
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
    PostDeletedError,
)

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}
"""The header of a response that repeats an earlier result."""

REPLAYED_DOCUMENTED = {
    "Idempotency-Replayed": {
        "description": "`true`: the result is that of an earlier request.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
"""REPLAYED in the API document."""

PATHS = frozenset({"/v1/me/feed", "/v1/me/photos"})
"""Paths whose POST takes the header. Elsewhere it means nothing, and no request waits for it."""

IN_FLIGHT = "A request with this Idempotency-Key is in progress."
"""The detail of 409 `idempotency-key-in-flight`."""
WAIT_SECONDS = 2.0
"""How long a request waits for another one with its key in the same process."""

Line = tuple[str, str]
"""The token and the key of requests that wait for each other. It authenticates nobody: who does not
have the token cannot make its user wait."""

ERRORS = (
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
    IdempotencyKeyInFlightError,
    PostDeletedError,
)
"""Errors of routes that take the header."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def key() -> str | None:
    """The key; None without the header. Raises IdempotencyKeyMissingError for an invalid key."""
    sent = request.headers.get(HEADER)
    if sent is not None and not _KEY.fullmatch(sent):
        raise IdempotencyKeyMissingError
    return sent


def required_key() -> str:
    """The key. Raises IdempotencyKeyMissingError."""
    sent = key()
    if sent is None:
        raise IdempotencyKeyMissingError
    return sent


def line_of(environ: Mapping[str, Any]) -> Line | None:
    """The line of a request before Flask has it; None if it waits for no other one."""
    sent = environ.get("HTTP_IDEMPOTENCY_KEY")
    token = environ.get("HTTP_AUTHORIZATION")
    if not sent or not token:
        return None
    if environ["REQUEST_METHOD"] != "POST" or environ.get("PATH_INFO") not in PATHS:
        return None
    return token, sent


def parameter(*, required: bool) -> dict[str, object]:
    """The header as a parameter in the API document."""
    return {
        "in": "header",
        "name": HEADER,
        "required": required,
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": f"^{_KEY.pattern}$",
            "examples": ["7c1d3f5e-0b1a-4c52-9f43-2f6f1b8f4a10"],
        },
        "description": "A text of your choice, such as a UUID. Repeat a request with the same key "
        "and body: it is done once.",
    }
