"""The least that a WSGI server can be asked to serve."""

from collections.abc import Callable
from typing import Any

BODY = b'{"hello":"world"}'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The same answer to everything."""
    start_response("200 OK", HEADERS)
    return [BODY]
