"""The body of every error response: RFC 9457 `application/problem+json`."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, g, json

CONTENT_TYPE = "application/problem+json"

INTERNAL_ERROR = "Internal error. It is in the server's log."
"""The detail of 500."""


def code_of(error: type[BaseException]) -> str:
    """The stable code of an error's class: `photos-not-ready` of PhotosNotReadyError."""
    words = re.findall(r"[A-Z][a-z0-9]*", error.__name__.removesuffix("Error"))
    return "-".join(words).lower()


def code_of_status(status: int) -> str:
    """The stable code of an HTTP status: `method-not-allowed` of 405."""
    return HTTPStatus(status).phrase.lower().replace(" ", "-").replace("'", "")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response with a problem as its body."""
    body = problem_body(status, code, detail, errors=errors, request_id=g.get("request_id", ""))
    response = Response(json.dumps(body), status=status, content_type=CONTENT_TYPE)
    response.headers.update(headers or {})
    return response


def problem_body(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    errors: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    """The members of a problem, as api/schemas/problems.py describes them."""
    body: dict[str, Any] = {
        "type": f"urn:photofeed:problem:{code}",
        "title": _title(code),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    return {**body, "errors": errors} if errors else body


def flatten_messages(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Marshmallow's nested messages by the path of their field: `{"location.latitude": ["…"]}`."""
    if isinstance(messages, Mapping):
        messages_by_path: dict[str, list[str]] = {}
        for name, nested in messages.items():
            nested_path = path if name == "_schema" else f"{path}.{name}" if path else str(name)
            messages_by_path.update(flatten_messages(nested, nested_path))
        return messages_by_path
    texts = messages if isinstance(messages, list) else [messages]
    return {path or "body": [str(text) for text in texts]}


def _title(code: str) -> str:
    return code.replace("-", " ").capitalize()
