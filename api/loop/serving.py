"""The ASGI application: a few routes on the loop, everything else by another application."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import structlog

from api.loop.messages import Receive, Scope, Send

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger()


class AsgiApp:
    """Routes by method and path; `running` is entered before the first request."""

    def __init__(
        self,
        routes: Mapping[tuple[str, str], Handler],
        default: Handler,
        running: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        self._routes = routes
        self._default = default
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the application from start to stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        handler = self._routes.get((scope["method"], scope["path"]), self._default)
        await handler(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await send({"type": "lifespan.shutdown.complete"})
