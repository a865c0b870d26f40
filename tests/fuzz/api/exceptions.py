"""What schemathesis may find although neither the code nor the document is at fault.

Each exception is as narrow as can be said: the kind of finding, the problem's code, and for fields
the message. Each has its reason.
"""

from collections.abc import Mapping
from typing import Any

ACCEPTANCE = "RejectedPositiveData"
"""The finding that a request is refused although the schema allows it."""

STREAM_SCHEMA = "JsonSchemaError"
"""The finding that a response is not what the schema says."""

REFUSED_CODES = {
    "invalid-cursor": "A cursor is signed. No schema says which texts are.",
    "push-service-not-allowed": "An installation can allow further services.",
    "weak-password": "Whether a password is easily guessed is computed, not a pattern.",
    "idempotency-key-reused": "It depends on the requests before.",
    "post-deleted": "It depends on the requests before.",
    "photo-already-posted": "It depends on the requests before.",
    "photo-failed": "It depends on the photo.",
    "quiet-hours-incomplete": "A part is valid where the other parts are set.",
    "cannot-follow-yourself": "It depends on the viewer.",
    "cannot-block-yourself": "It depends on the viewer.",
}
"""Code of a problem that valid data can get, and why the document cannot exclude the data."""

REFUSED_FIELDS = {
    "Control characters are not allowed.": "The document says it of all text, in words.",
    "Characters that reverse letters are not allowed.": "The same.",
    "Too many marks on one letter.": "The same.",
    "More than one line.": "The same.",
    "Nothing of it is visible.": "Unicode's tables say it, no pattern.",
    "Not a time zone of the IANA database, such as Europe/Berlin.": "The database says it.",
    "Give exactly one of post_id and user_id.": "Said in words: generated clients misread `oneOf`.",
    "Give latitude and longitude together.": "Null is no coordinate; the document names the pair.",
    "Not a key of a push subscription: not a point of P-256.": "It is computed.",
    "The subscription has expired: subscribe again.": "It depends on the time.",
    "Nothing has this id yet.": "It depends on the time.",
    "Larger than any id: at most 2^53.": "A pattern of this bound has 14 alternatives.",
}
"""Message of a field that the schema allows, and why it does."""


def is_exception(kind: str, operation: str, problem: Mapping[str, Any]) -> bool:
    """Whether a finding is one of the exceptions. `problem`: the body of the response, if JSON."""
    if kind == STREAM_SCHEMA:
        # OpenAPI 3.1 describes a stream as one text; schemathesis reads its schema as an event's.
        return operation == "GET /v1/live" and not problem
    if kind != ACCEPTANCE:
        return False
    if problem.get("code") == "invalid-fields":
        errors = problem.get("errors", {})
        messages = [message for of_field in errors.values() for message in of_field]
        return bool(messages) and set(messages) <= REFUSED_FIELDS.keys()
    return problem.get("code") in REFUSED_CODES
