"""Streams that always have something to send, for a test of clients that do not read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.live import front
from api.live.streams import Stream
from api.loop.messages import Receive, Scope, Send
from api.loop.serving import AsgiApp
from api.services.sessions import Viewer

EVENT = b"x" * 8_000
SECONDS_UNTIL_SLOW = 0.5
MOST_BYTES = front.MOST_BYTES

ended: list[str] = []
"""Why streams have ended."""


async def bounded(_scope: Scope, receive: Receive, send: Send) -> None:
    """A stream with the bounds of the product, but for a shorter wait."""
    front.MOST_BYTES = MOST_BYTES
    front.SEND_SECONDS = SECONDS_UNTIL_SLOW
    await _run(receive, send)


async def endless(_scope: Scope, receive: Receive, send: Send) -> None:
    """A stream whose bytes are not bounded."""
    front.MOST_BYTES = 1 << 40
    front.SEND_SECONDS = SECONDS_UNTIL_SLOW
    await _run(receive, send)


async def silent(_scope: Scope, receive: Receive, send: Send) -> None:
    """A stream that sends nothing but its beginning."""
    await _run(receive, send, sends=False)


async def report(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The reasons for which streams have ended, one a line."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": "\n".join(ended).encode()})


async def _run(receive: Receive, send: Send, *, sends: bool = True) -> None:
    stream = Stream(Viewer(user_id=1, session_id=1), None, expires_at=0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    stream.put("opening", b"open")
    tasks = [asyncio.create_task(front._watch(receive, stream))]
    if sends:
        tasks.append(asyncio.create_task(_feed(stream)))
    await front._send_all(stream, send)
    for task in tasks:
        task.cancel()
    ended.append(stream.end_reason)


async def _feed(stream: Stream) -> None:
    while True:
        stream.put("tick", EVENT)
        await asyncio.sleep(0)


@asynccontextmanager
async def _running() -> AsyncIterator[None]:
    yield


ROUTES = {"/bounded": bounded, "/endless": endless, "/silent": silent}
app = AsgiApp({("GET", path): route for path, route in ROUTES.items()}, report, _running)
