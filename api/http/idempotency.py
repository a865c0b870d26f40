"""The Idempotency-Key header of a request."""

import re

from flask import request

from api.services.errors import IdempotencyKeyMissingError

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}
"""The header of an answer that was given before."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def key() -> str | None:
    """The request's key, if it has one. Raises IdempotencyKeyMissingError for one that is none."""
    sent = request.headers.get(HEADER)
    if sent is not None and not _KEY.fullmatch(sent):
        raise IdempotencyKeyMissingError
    return sent


def required_key() -> str:
    """The request's key. Raises IdempotencyKeyMissingError."""
    sent = key()
    if sent is None:
        raise IdempotencyKeyMissingError
    return sent


def parameter(*, required: bool) -> dict[str, object]:
    """The header in the API document."""
    return {
        "in": "header",
        "name": HEADER,
        "required": required,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "Send the same key with the same body to try again: it is done once.",
    }
