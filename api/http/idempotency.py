"""The Idempotency-Key header of a request."""

import re

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
