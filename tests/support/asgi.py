"""Requests to an ASGI application in this process, without a server."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from api.loop.messages import Answer, Scope

Handler = Any
Headers = Sequence[tuple[bytes, bytes]]

GONE = {"type": "http.disconnect"}
"""What a server tells an application whose client has closed the connection."""


def scope_of(
    method: str = "GET",
    target: str = "/",
    headers: Headers = (),
    *,
    client: str = "127.0.0.1",
    http_version: str = "1.1",
) -> Scope:
    """The scope as granian makes it of a request with this target."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": http_version,
        "server": ("127.0.0.1", 8000),
        "client": (client, 50_000),
        "scheme": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": list(headers),
        "root_path": "",
    }


class Exchange:
    """One request and its response. `messages` arrive one by one; then nothing more arrives."""

    def __init__(self, messages: Sequence[Mapping[str, Any]] = ()) -> None:
        self._messages = list(messages) or body_messages(b"")
        self.sent: list[Mapping[str, Any]] = []
        self.received = 0

    async def receive(self) -> Mapping[str, Any]:
        """The next message. Waits for ever after the last one."""
        if self.received == len(self._messages):
            await asyncio.Event().wait()
        self.received += 1
        return self._messages[self.received - 1]

    async def send(self, message: Mapping[str, Any]) -> None:
        """Take a message of the application."""
        self.sent.append(message)

    @property
    def answer(self) -> Answer:
        """The response. Asserts that it is whole and in the order of ASGI."""
        start, *bodies = self.sent
        assert start["type"] == "http.response.start"
        assert [body["type"] for body in bodies] == ["http.response.body"] * len(bodies)
        assert [body.get("more_body", False) for body in bodies][-1:] == [False]
        return Answer(start["status"], start["headers"], b"".join(b["body"] for b in bodies))


def body_messages(*chunks: bytes) -> list[dict[str, Any]]:
    """The messages of a body in these chunks, as granian sends them."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    return [*messages, {"type": "http.request", "body": b"", "more_body": False}]


async def call(app: Handler, scope: Scope, *messages: Mapping[str, Any]) -> Answer:
    """The application's response to a request."""
    exchange = Exchange(messages)
    await app(scope, exchange.receive, exchange.send)
    return exchange.answer
