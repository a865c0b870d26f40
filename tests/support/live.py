"""Clients of live streams: real sockets, read by a thread."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from api.loop.messages import Scope
from tests.support.eventually import eventually

PATH = "/v1/live"
SECONDS = 20.0
"""For an event that must come: a margin for a busy machine."""

ROUNDS_SECONDS = 2.5
"""In this time two looks happen, so what has not come by then does not come."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event as a browser's EventSource understands it."""

    name: str
    id: str
    data: Any


class LiveClient:
    """One stream over a socket. A thread collects its events."""

    def __init__(
        self, url: str, query: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        address = urlsplit(url)
        self.connection = http.client.HTTPConnection(str(address.hostname), address.port, 60)
        target = f"{PATH}?{urlencode(query)}" if query else PATH
        self.connection.request("GET", target, headers=headers or {})
        self.socket: socket.socket = self.connection.sock
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = {name.lower(): value for name, value in self.response.getheaders()}
        self.events: list[LiveEvent] = []
        self.comments = 0
        self.last_id = ""
        """The last id, also one without an event."""
        self.retry = ""
        self.ended_at = 0.0
        """When the server ended the stream (monotonic); 0 while it is open."""
        self.ended_whole = False
        """Whether the response was complete at its end."""
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def names(self) -> list[str]:
        """The names of the events so far."""
        return [event.name for event in self.events]

    def wait(self, name: str, count: int = 1) -> LiveEvent:
        """The event of this name, when it is there; `count`: the so many-th one."""
        eventually(lambda: self.names().count(name) >= count, seconds=SECONDS, every=0.01)
        return [event for event in self.events if event.name == name][count - 1]

    def wait_for_opening(self) -> "LiveClient":
        """Returns as soon as the stream has begun and has looked once."""
        eventually(lambda: self.last_id, seconds=SECONDS, every=0.01)
        return self

    def wait_for_end(self) -> float:
        """The time of the stream's end (monotonic)."""
        return eventually(lambda: self.ended_at, seconds=SECONDS, every=0.01)

    def assert_no_more(self) -> None:
        """Two rounds bring no event."""
        before = list(self.events)
        time.sleep(ROUNDS_SECONDS)
        assert self.events == before

    def problem(self) -> dict[str, Any]:
        """The problem that refused the stream."""
        problem: dict[str, Any] = json.loads(self.response.read())
        assert self.headers["content-type"] == "application/problem+json"
        assert problem["status"] == self.status
        return problem

    def close(self) -> None:
        """Close the connection; the server sees that the client is gone."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self.response.readline():
                text = line.decode().rstrip("\n")
                if not text:
                    self._dispatch(fields)
                    fields = {}
                elif text.startswith(":"):
                    self.comments += 1
                else:
                    name, _, value = text.partition(": ")
                    fields[name] = value
            # A cut connection reads as an end too, but then the last chunk has not come.
            self.ended_whole = self.response.chunk_left is None
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass
        self.ended_at = time.monotonic()

    def _dispatch(self, fields: dict[str, str]) -> None:
        self.retry = fields.get("retry", self.retry)
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            event = LiveEvent(fields["event"], fields["id"], json.loads(fields["data"]))
            self.events.append(event)


class LocalStream:
    """A stream of an application in this process, on its loop, without a server."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop, scope: Scope) -> None:
        self._loop = loop
        self._gone = asyncio.Event()
        self._messages: list[Any] = []
        self._call = asyncio.run_coroutine_threadsafe(app(scope, self._receive, self._send), loop)

    @property
    def status(self) -> int:
        """The status of the response, when it has begun."""
        return int(eventually(lambda: self._messages, seconds=SECONDS)[0]["status"])

    @property
    def text(self) -> str:
        """What was sent so far."""
        return b"".join(message["body"] for message in self._messages[1:]).decode()

    def close(self) -> None:
        """Tell the application that the client is gone, and wait for it."""
        self._loop.call_soon_threadsafe(self._gone.set)
        self._call.result(SECONDS)

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self._messages.append(message)


Connect = Callable[..., LiveClient]


@contextmanager
def clients() -> Iterator[Connect]:
    """A function that opens streams, which are closed at the end."""
    opened: list[LiveClient] = []

    def connect(
        url: str,
        *,
        ticket: str = "",
        token: str = "",
        last_event_id: str = "",
        **headers: str,
    ) -> LiveClient:
        query = {"ticket": ticket, "last_event_id": last_event_id}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        client = LiveClient(url, {n: v for n, v in query.items() if v}, headers)
        opened.append(client)
        return client

    try:
        yield connect
    finally:
        for client in opened:
            client.close()
