"""Time limits of requests, and the waits that do not count in them.

A message may wait for its turn on our side. A push service is not to blame for that, so its circuit
must not learn of it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

_limit: ContextVar[asyncio.Timeout | None] = ContextVar("limit", default=None)


class TurnTimeoutError(OSError):
    """A message got no turn on our side in time."""


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """End the block after so many seconds, without those in `unlimited`. Raises TimeoutError."""
    async with asyncio.timeout(seconds) as limit:
        token = _limit.set(limit)
        try:
            yield
        finally:
            _limit.reset(token)


@asynccontextmanager
async def unlimited() -> AsyncIterator[None]:
    """Stop the clock of the `time_limit` around the block."""
    limit = _limit.get()
    when = limit.when() if limit else None
    if limit is None or when is None or limit.expired():
        yield
        return
    loop = asyncio.get_running_loop()
    left = when - loop.time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(loop.time() + left)
