"""The tests of the API through asgi.py's application, in this process, on a thread with a loop.

With PHOTOFEED_TEST_ASGI=1 every request of `AppTransport` goes this way (`make test-system` runs
the tests of the API so). It turns the request that Flask's test client would send into a scope,
so what is left out is the server, which tests/system/journeys/test_raw_requests.py has.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from flask import Flask
from werkzeug.test import Client

from api.asgi_app import create_asgi_app
from api.http.context import context_of
from api.loop.messages import Answer, Scope
from api.loop.serving import AsgiApp
from tests.support.asgi import Exchange, body_messages

SECONDS = 60
"""The longest time for a response."""


class LoopThread:
    """A thread that runs an event loop until the process ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="loop", daemon=True)
        self.thread.start()

    def run(self, coroutine: Any) -> Any:
        """The coroutine's result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(SECONDS)


class LoopApp:
    """An ASGI application that has been started, as a WSGI application for a test client."""

    def __init__(self, flask_app: Flask, loop: LoopThread) -> None:
        self._loop = loop
        self.app = _create_beside_others(flask_app)
        self._lifespan = Lifespan(self.app)
        loop.run(self._lifespan.start())

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        answer = self.send(*request_of(environ))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer[1]]
        start_response(f"{answer.status} -", headers)
        return [answer.body]

    def send(self, scope: Scope, body: bytes = b"") -> Answer:
        """The response to a request."""
        exchange = Exchange(body_messages(*([body] if body else [])))
        self._loop.run(self.app(scope, exchange.receive, exchange.send))
        return exchange.answer

    def close(self) -> None:
        """Stop the application. Its Redis connection, which other applications share, closes."""
        self._loop.run(self._lifespan.stop())


class Lifespan:
    """The start and the stop of an application, as a server asks for them."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    async def start(self) -> None:
        coroutine = self._app({"type": "lifespan"}, self._messages.get, self._answers.put)
        self._task = asyncio.create_task(coroutine)
        await self._say("startup")

    async def stop(self) -> None:
        await self._say("shutdown")
        await self._task

    async def _say(self, word: str) -> None:
        await self._messages.put({"type": f"lifespan.{word}"})
        assert (await self._answers.get())["type"] == f"lifespan.{word}.complete"


@functools.cache
def client_of(flask_app: Flask) -> Client:
    """A test client of the ASGI application around a Flask app; one application for each app."""
    return Client(LoopApp(flask_app, _shared_loop()), flask_app.response_class)


@functools.cache
def _shared_loop() -> LoopThread:
    return LoopThread()


@contextmanager
def running(flask_app: Flask) -> Iterator[tuple[LoopApp, LoopThread]]:
    """The ASGI application around a Flask app, and its loop, for one test."""
    loop = LoopThread()
    app = LoopApp(flask_app, loop)
    try:
        yield app, loop
    finally:
        app.close()


def request_of(environ: dict[str, Any]) -> tuple[Scope, bytes]:
    """The scope and the body of a test client's request, as a server makes them."""
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"].encode("latin-1")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "server": (environ["SERVER_NAME"], int(environ["SERVER_PORT"])),
        "client": (environ.get("REMOTE_ADDR", "127.0.0.1"), 50_000),
        "scheme": environ["wsgi.url_scheme"],
        "method": environ["REQUEST_METHOD"],
        "path": path.decode("utf-8", "replace"),
        "raw_path": quote(path).encode(),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": list(_headers_of(environ)),
    }
    return scope, body


def _headers_of(environ: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for key, value in environ.items():
        name = key.removeprefix("HTTP_")
        if name == key and key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            continue
        if key == "CONTENT_LENGTH" and (value == "0" or "HTTP_TRANSFER_ENCODING" in environ):
            continue  # a client of HTTP sends none where there is no body
        yield name.lower().replace("_", "-").encode(), value.encode("latin-1")


def _create_beside_others(flask_app: Flask) -> AsgiApp:
    """The ASGI application. Others on the same stores go on hearing of new connections."""
    cache = context_of(flask_app).storage.loop_cache
    before = cache.on_connect
    app = create_asgi_app(flask_app)
    own = cache.on_connect

    def tell_all() -> None:
        before()
        own()

    cache.on_connect = tell_all
    return app
