"""Small applications that tests run under granian: an echo, and streams that do not end."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from api.loop.flask_adapter import FlaskAdapter
from api.loop.messages import Receive, Scope, Send
from api.loop.serving import AsgiApp


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The request as the application sees it. `?sleep=SECONDS` answers later."""
    name, _, seconds = environ["QUERY_STRING"].partition("=")
    if name == "sleep":
        time.sleep(float(seconds))
    names = [name for name in environ if name.isupper() and name not in os.environ]
    seen = {name: environ[name] for name in names}
    body = json.dumps({**seen, "body": environ["wsgi.input"].read().decode("latin-1")}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class Streams:
    """Responses that stay open until the process is asked to stop."""

    def __init__(self) -> None:
        self._end = asyncio.Event()

    def end(self) -> None:
        self._end.set()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
        await self._end.wait()
        await send({"type": "http.response.body", "body": b"end\n"})


@asynccontextmanager
async def _running() -> AsyncIterator[None]:
    yield


streams = Streams()
app = AsgiApp({("GET", "/stream"): streams}, FlaskAdapter(echo), _running)
app.stopping.on_stop(streams.end)
