"""The ASGI application of one process, called in this process on an event loop of its own."""

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, cast

import uvloop
from flask import Flask

from api.asgi_app import create_asgi_app
from api.fast_feed.front import FastFeed
from api.fast_feed.requests import PATH
from api.http.context import context_of
from api.loop.messages import Scope
from storage.limits import SETTLE, limit_key
from storage.redis.protocol import pack
from tests.support.people import Person
from tests.support.transports import ApiResponse

TIMEOUT_SECONDS = 60
SAME_ID = "same"
"""The request id of requests whose responses are compared."""

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class FastFeedProcess:
    """Sends requests to the application on its loop's thread, or to Flask's view alone.

    The Flask app has stores of its own, as in a process: its connection of the loop is used here.
    """

    front: FastFeed

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.storage = context_of(app).storage
        self._forwarded = 0
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._view = app.wsgi_app
        app.wsgi_app = self._count_forwarded  # type: ignore[method-assign]
        self._application = self.run(_create(app))
        app.wsgi_app = self._view  # type: ignore[method-assign]
        self.front = self._application._routes["GET", PATH]
        self.forwarded = False
        """Whether Flask has answered the last request."""
        self._stopping: asyncio.Queue[str] = asyncio.Queue()
        self._lifespan = asyncio.run_coroutine_threadsafe(self._live(), self._loop)

    def get(self, person: Person, path: str, headers: Headers = ()) -> ApiResponse:
        """The response of the application to a GET request of the person."""
        return self.send("GET", path, [*_login(person), *_pairs(headers)])

    def view(self, person: Person, path: str, headers: Headers = ()) -> ApiResponse:
        """Flask's response, not compared with the API document, as a test can plant bodies."""
        pairs = [*_login(person), *_pairs(headers)]
        return cast("ApiResponse", self.app.test_client().get(path, headers=pairs))

    def send(
        self, method: str, path: str, headers: Sequence[tuple[str, str]], *, client: str = "1.2.3.4"
    ) -> ApiResponse:
        """The response of the application. Its body is what the client gets."""
        before = self._forwarded
        response: ApiResponse = self.run(
            _call(self._application, _scope(method, path, headers, client))
        )
        self.forwarded = self._forwarded > before
        return response

    def run(self, work: Any) -> Any:
        """The result of a coroutine on the loop's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_SECONDS)

    def begin(self, person: Person, path: str = PATH) -> Future[ApiResponse]:
        """A future of the response to a request that begins now."""
        call = _call(self._application, self.scope(person, path))
        return asyncio.run_coroutine_threadsafe(call, self._loop)

    def scope(self, person: Person, path: str = PATH) -> Scope:
        """The ASGI scope of a GET request of the person."""
        return _scope("GET", path, _login(person), "1.2.3.4")

    def used_quota(self, person: Person) -> int:
        """Reads of the person that all processes have counted, this one's included."""
        used: int = self.run(self._settle(person.id))
        return used

    def keeps_page(self, person: Person, limit: int = 20) -> bool:
        """Whether a finished first page of the person is kept, outdated or not."""
        return self.front._pages.get((person.id, limit, None)) is not None

    def forget_pages(self) -> None:
        """Forget the finished pages, not the copies."""
        self.front._pages._pages.clear()
        self.front._pages.bytes = 0

    def close(self) -> None:
        """Stop the application and its loop."""
        self._loop.call_soon_threadsafe(self._stopping.put_nowait, "lifespan.shutdown")
        self._lifespan.result(TIMEOUT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self._loop.close()

    async def _settle(self, user_id: int) -> int:
        quotas, cache = self.front._quotas, self.storage.loop_cache
        for user_ids, commands in quotas.settlements(time.monotonic()):
            quotas.apply(user_ids, await cache.execute(commands, SETTLE), time.monotonic())
        key = limit_key(quotas.policy, user_id).encode()
        [value] = await cache.execute([pack(b"GET", key)])  # after earlier settlements in flight
        return int(value or 0)

    async def _live(self) -> None:
        events = iter(["lifespan.startup"])

        async def receive() -> dict[str, Any]:
            return {"type": next(events, None) or await self._stopping.get()}

        async def send(_message: Mapping[str, Any]) -> None:
            return

        await self._application({"type": "lifespan"}, receive, send)

    def _count_forwarded(self, environ: dict[str, Any], start_response: Any) -> Any:
        self._forwarded += 1
        return self._view(environ, start_response)


async def _create(app: Flask) -> Any:
    return create_asgi_app(app)


async def _call(application: Any, scope: Scope) -> ApiResponse:
    messages: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        messages.append(message)

    await application(scope, receive, send)
    start, *bodies = messages
    response = ApiResponse(b"".join(message["body"] for message in bodies), start["status"])
    response.headers.clear()  # those that werkzeug adds
    response.headers.extend(
        [(n.decode("latin-1").title(), v.decode("latin-1")) for n, v in start["headers"]]
    )
    return response


def _scope(method: str, path: str, headers: Sequence[tuple[str, str]], client: str) -> Scope:
    raw_path, _, query = path.partition("?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw_path,
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ],
        "client": (client, 1),
        "server": ("localhost", 80),
    }


def _login(person: Person) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {person.token}"), ("X-Request-Id", SAME_ID)]


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items()) if isinstance(headers, Mapping) else list(headers)
