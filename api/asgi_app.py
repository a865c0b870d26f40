"""The ASGI application of one process: feed pages and live streams, and Flask for all else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from flask import Flask

from api.fast_feed.access_log import AccessLog
from api.fast_feed.cache_reading import CacheReader
from api.fast_feed.front import FastFeed
from api.fast_feed.pages import KeptPages
from api.fast_feed.requests import PATH
from api.fast_feed.upkeep import Upkeep
from api.http.context import context_of
from api.live import requests as live_requests
from api.live.application import LiveStreams
from api.loop.cross_origin import allow_origins
from api.loop.flask_adapter import FlaskAdapter
from api.loop.serving import AsgiApp, Handler
from feed.copies import Copies
from feed.copy_reading import CopyReader
from storage.read_quotas import ReadQuotas


def create_asgi_app(flask_app: Flask) -> AsgiApp:
    """The application around a Flask app, on the same stores. Opens no connection yet."""
    context = context_of(flask_app)
    settings, cache = context.settings, context.storage.loop_cache
    access_log = AccessLog(PATH)
    flask = FlaskAdapter(flask_app.wsgi_app, count=access_log.count)
    copies = Copies(settings.feed_copy_bytes)
    reader = CopyReader(cache, copies)
    cache.on_connect = reader.forget
    quotas = ReadQuotas(context.admissions.policy)
    upkeep = Upkeep(cache=cache, reader=reader, copies=copies, quotas=quotas)
    front = FastFeed(
        context,
        flask,
        cache=CacheReader(cache, copies, reader),
        copies=copies,
        quotas=quotas,
        pages=KeptPages(settings.feed_page_bytes),
        access_log=access_log,
    )
    live = LiveStreams(context, flask, cache=cache, reader=reader, quotas=quotas)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        task = asyncio.create_task(upkeep.run())
        try:
            async with live.running():
                yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            cache.close()
            flask.close()
            access_log.close()

    routes: dict[tuple[str, str], Handler] = {
        ("GET", PATH): front,
        ("GET", live_requests.PATH): live.front,
        ("HEAD", live_requests.PATH): live.front.refuse_head,
    }
    origins = settings.cors_origins
    app = AsgiApp(
        {route: allow_origins(handler, origins) for route, handler in routes.items()},
        allow_origins(flask, origins),
        running,
    )
    app.stopping.on_stop(live.front.stop)
    return app
