"""Requests and responses between ASGI and WSGI, whole and in memory."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from api.http.parsing import forwarded_client

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


_PROTOCOLS = {"1": "HTTP/1.0", "1.0": "HTTP/1.0", "1.1": "HTTP/1.1"}
"""The protocol by ASGI's `http_version`. granian calls HTTP/1.0 "1"."""


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


MOST_PIECES = 2_000
"""Messages of one body. Each costs the loop as much as a large one; usual pieces have kilobytes."""


class BrokenBodyError(Exception):
    """The body ended before it was complete, is not well-formed, or has too many pieces."""


class SlowBodyError(Exception):
    """The body did not arrive in time."""


async def read_body(receive: Receive, *, most_bytes: int, seconds: float) -> bytes:
    """The request's body, cut off after more than `most_bytes`.

    Raises SlowBodyError, and BrokenBodyError after MOST_PIECES and where the server says that the
    client is gone: granian says so of malformed chunks too.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while size <= most_bytes:
                message = await receive()
                if message["type"] != "http.request" or len(chunks) == MOST_PIECES:
                    raise BrokenBodyError
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise SlowBodyError from None
    return b"".join(chunks)


async def send_answer(send: Send, answer: Answer) -> None:
    """Send the whole response."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """The WSGI environ of an ASGI request whose body has been read.

    A header with an underscore is left out: WSGI could not tell it from one with a dash.
    """
    host, port = scope.get("server") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host or "",
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": _PROTOCOLS.get(scope["http_version"], "HTTP/1.1"),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,  # a body in chunks has no length
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def client_of(scope: Scope, trusted_proxies: int) -> str:
    """The client's address behind this number of proxies, the same that ProxyFix chooses."""
    if trusted_proxies:
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if client := forwarded_client(b",".join(values).decode("latin-1"), trusted_proxies):
            return client
    address = scope.get("client")
    return str(address[0]) if address else ""


def call_wsgi(app: WsgiApp, environ: dict[str, Any]) -> Answer:
    """The app's whole response."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        started[:] = [status, headers]

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        if close := getattr(chunks, "close", None):
            close()
    status, headers = started
    return Answer(int(status[:3]), _encode(headers), body)


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    if "_" in name:
        return
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if key in environ:
        separator = "; " if key == "HTTP_COOKIE" else ","
        value = f"{environ[key]}{separator}{value}"
    environ[key] = value


def _encode(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
