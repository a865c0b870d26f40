"""CORS: web pages of other origins may call the API, if CORS_ORIGINS names them.

Written here and not taken from a library: its preflights would be answers without a request id and
its refusals no problem documents. Tokens are sent as a header, never as a cookie, so no response
allows credentials.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.http.observing import choose_request_id
from api.http.responses import SAFE_HEADERS
from api.loop.messages import Answer, Receive, Scope, Send, send_answer
from api.loop.serving import Handler

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id"
)
"""What a page may send beside what every page may."""
RESPONSE_HEADERS = (
    "Location, Link, Retry-After, X-Request-Id, RateLimit, RateLimit-Policy, ETag,"
    " Idempotency-Replayed, Photofeed-Degraded"
)
"""What a page may read beside what every page may."""
PREFLIGHT_SECONDS = "3600"
"""How long a browser may keep the answer to a preflight. Browsers cut it to two hours or less."""

_VARY = (b"vary", b"Origin")


class CrossOrigin:
    """An ASGI application around another one, which tells browsers what the origins may do."""

    def __init__(self, app: Handler, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or add the headers to the response. Other origins get no header."""
        sent = dict(scope["headers"])
        origin = sent.get(b"origin")
        allowed = origin if origin in self._origins else None
        if allowed and scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
            await send_answer(send, _preflight(allowed, sent.get(b"x-request-id", b"")))
            return

        async def send_with_headers(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_headers(allowed)]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def allow_origins(app: Handler, origins: Sequence[str]) -> Handler:
    """The application for these origins too. Without origins it is the same application."""
    return CrossOrigin(app, origins) if origins else app


def _preflight(origin: bytes, request_id: bytes) -> Answer:
    """204 before any authentication: a browser sends no token with a preflight."""
    texts = {
        "X-Request-Id": choose_request_id(request_id.decode("latin-1")),
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        **SAFE_HEADERS,
    }
    headers = [(name.lower().encode(), text.encode()) for name, text in texts.items()]
    return Answer(204, [*headers, (b"access-control-allow-origin", origin), _VARY], b"")


def _headers(origin: bytes | None) -> list[tuple[bytes, bytes]]:
    """`Vary` even without an origin: a cache must not give this response to a page of another."""
    if origin is None:
        return [_VARY]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", RESPONSE_HEADERS.encode()),
        _VARY,
    ]
