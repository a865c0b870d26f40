"""The one shape of every refusal: RFC 9457 `application/problem+json`."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, g, json

CONTENT_TYPE = "application/problem+json"


def code_of(error: type[BaseException]) -> str:
    """The stable code that a class names: PhotosNotReadyError is `photos-not-ready`."""
    words = re.findall(r"[A-Z][a-z0-9]*", error.__name__.removesuffix("Error"))
    return "-".join(words).lower()


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that tells a client what is wrong, in words and by a code that stays."""
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


def code_of_status(status: int) -> str:
    """The code of a refusal that HTTP itself has a name for: 405 is `method-not-allowed`."""
    return HTTPStatus(status).phrase.lower().replace(" ", "-").replace("'", "")


def flattened(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Messages by the path of the field they are about: `{"location.latitude": ["…"]}`."""
    if isinstance(messages, Mapping):
        found: dict[str, list[str]] = {}
        for name, below in messages.items():
            here = path if name == "_schema" else f"{path}.{name}" if path else str(name)
            found.update(flattened(below, here))
        return found
    texts = messages if isinstance(messages, list) else [messages]
    return {path or "body": [str(text) for text in texts]}


def _title(code: str) -> str:
    return code.replace("-", " ").capitalize()
