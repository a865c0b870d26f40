"""The smallest WSGI app: the cost of the server alone."""

from collections.abc import Callable
from typing import Any

BODY = b'{"hello":"world"}'
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The same answer to every request."""
    start_response("200 OK", HEADERS)
    return [BODY]
