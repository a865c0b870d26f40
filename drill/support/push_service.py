"""A push service of ours: it decrypts what it gets, checks who sent it, and misbehaves when told.

It decrypts by http_ece and verifies by py_vapid, which share no code with what they check. It
listens on a real socket and has a thread and an event loop of its own.
"""

import asyncio
import base64
import json
import os
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from graph.ids import new_id
from graph.push_subscriptions import NewPushSubscription, PushSubscription
from web_push.endpoints import digest_of

LONGEST_TOKEN_SECONDS = 24 * 3_600
"""RFC 8292: a token that expires later is refused."""
MAX_BODY_BYTES = 4_096
START_SECONDS = 10.0

HANG, CLOSE = "hang", "close"
"""Instead of a status: no answer before release(); a connection that is closed without one."""
CHUNK_BYTES = 65_536


class InvalidMessageError(Exception):
    """A request that a push service refuses."""


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """A browser that has subscribed at a push service: it has the keys to decrypt."""

    def __init__(self, origin: str, path: str = "") -> None:
        self.path = f"/push/{path or secrets.token_urlsafe(16)}"
        self.endpoint = origin + self.path
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)

    @property
    def p256dh(self) -> str:
        """The public key, as the browser sends it."""
        return encode(
            self.private_key.public_key().public_bytes(
                Encoding.X962, PublicFormat.UncompressedPoint
            )
        )

    @property
    def json(self) -> dict[str, Any]:
        """What `PushSubscription.toJSON()` returns."""
        return {
            "endpoint": self.endpoint,
            "expirationTime": None,
            "keys": {"p256dh": self.p256dh, "auth": encode(self.auth)},
        }

    @property
    def new_subscription(self) -> NewPushSubscription:
        """What the API passes to the graph."""
        return NewPushSubscription(
            endpoint=self.endpoint,
            endpoint_sha256=digest_of(self.endpoint),
            p256dh=self.p256dh,
            auth=encode(self.auth),
        )

    def subscription(self, **changes: Any) -> PushSubscription:
        """A subscription that is in no graph."""
        fields: dict[str, Any] = {
            "id": new_id(),
            "user_id": new_id(),
            "session_id": new_id(),
            "endpoint": self.endpoint,
            "p256dh": self.p256dh,
            "auth": encode(self.auth),
            "created_at": datetime.now(UTC),
        }
        return PushSubscription(**fields | changes)

    def decrypt(self, body: bytes) -> dict[str, Any]:
        """The payload of a message to this browser."""
        text = http_ece.decrypt(
            body, private_key=self.private_key, auth_secret=self.auth, version="aes128gcm"
        )
        return dict(json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request to the push service."""

    path: str
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes
    at: float
    connection: int
    """The number of its connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The answer to a request."""

    status: int | str = 201
    headers: Mapping[str, str] = field(default_factory=dict)
    body_bytes: int = 0


class PushService:
    """Open it by `push_service()`. Its endpoints are those of the browsers it makes."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_key: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port, self._tls = host, port, tls
        self.public_key = public_key
        """If set, the only sender that is accepted."""
        self.received: list[Received] = []
        self.refusals: list[str] = []
        """Why requests were refused as invalid."""
        self.default = Behaviour()
        self.script: deque[Behaviour] = deque()
        """Behaviours of the next requests, before the default."""
        self.on_received: Callable[[Received, Behaviour], None] = lambda _received, _answer: None
        """Called with each valid message and the answer to it, in the service's thread."""
        self.in_flight = self.most_in_flight = self.connections = self.body_bytes = 0
        self._released = asyncio.Event()
        self._browsers: dict[str, Browser] = {}
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def origin(self) -> str:
        """What PUSH_ORIGINS must name."""
        return f"http://{self.host}:{self.port}"

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The decrypted payloads of all messages, in the order of their arrival."""
        return [self.decrypt(one) for one in self.received]

    def decrypt(self, received: Received) -> dict[str, Any]:
        """The payload of a message."""
        return self._browsers[received.path].decrypt(received.body)

    def browser(self, origin: str = "") -> Browser:
        """A browser that has subscribed here; `origin` is another name of this service."""
        browser = Browser(origin or self.origin)
        self._browsers[browser.path] = browser
        return browser

    def answer(self, *statuses: int | str, **behaviour: Any) -> None:
        """Answer the next requests with these."""
        self.script.extend(Behaviour(status=status, **behaviour) for status in statuses)

    def run(self) -> None:
        """Serve until `stop`."""
        asyncio.run(self._serve())

    def wait(self) -> None:
        """Return once the service listens."""
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError

    def misbehave(self, behaviour: Behaviour) -> None:
        """Answer in this way, until `recover`."""
        self._call(self._released.clear)
        self.default = behaviour

    def recover(self) -> None:
        """Take every message, and answer what hangs."""
        self.release(HTTPStatus.CREATED)

    def release(self, status: int | str) -> None:
        """Answer what hangs, and all that follows, with this."""
        self.default = Behaviour(status=status)
        self._call(self._released.set)

    def drop_connections(self) -> None:
        """Close all connections, as a push service does with idle ones."""
        for writer in list(self._writers):
            self._call(writer.close)

    def stop(self) -> None:
        """End `run`."""
        self._call(lambda: [task.cancel() for task in asyncio.all_tasks()])

    def _call(self, function: Callable[[], object]) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(function)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(
            self._connection, self.host, self.port, backlog=512, ssl=self._tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            await server.serve_forever()
        except asyncio.CancelledError:
            server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        try:
            while await self._request(reader, writer, number):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> bool:
        """Answer one request; returns whether the connection stays open."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = dict(self._headers(lines[1:]))
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            behaviour = self._judge(method, path, headers, body, connection)
            if behaviour.status == HANG:
                await self._released.wait()
                behaviour = self.default
        finally:
            self.in_flight -= 1
        if behaviour.status == CLOSE:
            return False
        writer.write(self._head(behaviour))
        for start in range(0, behaviour.body_bytes, CHUNK_BYTES):
            writer.write(b"x" * min(CHUNK_BYTES, behaviour.body_bytes - start))
            await writer.drain()
            self.body_bytes += CHUNK_BYTES
        return True

    @staticmethod
    def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()

    @staticmethod
    def _head(behaviour: Behaviour) -> bytes:
        lines = [f"HTTP/1.1 {behaviour.status} Answer", f"Content-Length: {behaviour.body_bytes}"]
        lines += [f"{name}: {value}" for name, value in behaviour.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _judge(
        self, method: str, path: str, headers: dict[str, str], body: bytes, connection: int
    ) -> Behaviour:
        try:
            self._check(method, path, headers, body)
        except (InvalidMessageError, KeyError, ValueError) as error:
            self.refusals.append(str(error))
            return Behaviour(status=400)
        received = Received(
            path=path, headers=headers, body=body, at=time.monotonic(), connection=connection
        )
        behaviour = self.script.popleft() if self.script else self.default
        self.received.append(received)
        self.on_received(received, behaviour)
        return behaviour

    def _check(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        """Raises InvalidMessageError, KeyError or ValueError for what a push service refuses."""
        authorization = headers["authorization"]
        token, key = authorization.removeprefix("vapid t=").split(",k=")
        claims = json.loads(decode(token.split(".")[1]))
        scheme = "https" if self._tls else "http"
        for is_right, problem in (
            (method == "POST", "not a POST"),
            (path in self._browsers, "no such subscription"),
            (headers["content-encoding"] == "aes128gcm", "not encrypted"),
            (len(body) <= MAX_BODY_BYTES, "too large"),
            (headers["ttl"].isdigit(), "no TTL"),
            (Vapid02.verify(authorization), "not signed"),
            (key == (self.public_key or key), "not signed by the key of the subscription"),
            (claims["aud"] == f"{scheme}://{headers['host']}", "signed for another service"),
            (0 < claims["exp"] - time.time() <= LONGEST_TOKEN_SECONDS, "expired, or too long"),
            (claims["sub"].startswith(("mailto:", "https:")), "no subject"),
        ):
            if not is_right:
                raise InvalidMessageError(problem)


@contextmanager
def push_service(**arguments: Any) -> Iterator[PushService]:
    """A running push service."""
    service = PushService(**arguments)
    thread = threading.Thread(target=service.run, name="push service", daemon=True)
    thread.start()
    service.wait()
    try:
        yield service
    finally:
        service.stop()
        thread.join(START_SECONDS)
