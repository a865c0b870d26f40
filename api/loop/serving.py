"""The ASGI application: a few routes on the loop, everything else by another application."""

import gc
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import structlog

from api.loop.messages import Receive, Scope, Send
from api.loop.scheduling import schedule_as_batch
from api.loop.stopping import Stopping

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
        self.stopping = Stopping()
        """What has to end before the server waits for open responses, such as streams."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the application from start to stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        handler = self._routes.get((scope["method"], scope["path"]), self._default)
        await handler(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Run from start to stop. A start that fails is reported: granian then ends the process.

        Without the report granian would serve an application that has not been started.
        """
        await receive()  # lifespan.startup
        async with AsyncExitStack() as running:
            try:
                await running.enter_async_context(self._running())
            except Exception as error:
                log.exception("start failed")
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            self.stopping.watch()
            _exempt_from_collections()
            schedule_as_batch()
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await send({"type": "lifespan.shutdown.complete"})


def _exempt_from_collections() -> None:
    """Exempt all objects of the start from garbage collections.

    They live as long as the process. A full collection stops the loop, and most of its time was
    spent on them.
    """
    gc.collect()
    gc.freeze()
