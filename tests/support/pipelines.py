"""Requests of many callers through a pipelined connection."""

import asyncio
import secrets
from contextlib import closing

from storage.circuit import FAILURES_TO_OPEN
from storage.errors import StorageUnavailableError
from storage.redis.generation import Generation
from storage.redis.pipeline import TIMEOUT_SECONDS, Pipeline
from storage.redis.protocol import pack

LATE_SECONDS = 20 * TIMEOUT_SECONDS
"""A generous bound on the wait for a time-out."""
MANY = 4 * FAILURES_TO_OPEN
"""Requests in flight: more than failures open the circuit."""


def pipeline_to(url: str) -> closing[Pipeline]:
    return closing(Pipeline("cache", url, Generation()))


async def echo(pipeline: Pipeline, text: str) -> str:
    """The text, as the server has returned it."""
    [reply] = await pipeline.execute([pack(b"ECHO", text.encode())])
    return str(reply.decode())


async def echoes(pipeline: Pipeline) -> bool:
    """Whether a request gets its reply now."""
    text = secrets.token_hex(4)
    try:
        return await echo(pipeline, text) == text
    except StorageUnavailableError:
        return False


def echo_soon(pipeline: Pipeline, count: int) -> list[asyncio.Task[str]]:
    """Requests of so many callers, which ask for 0, 1, 2 …"""
    return [asyncio.create_task(echo(pipeline, str(number))) for number in range(count)]


async def outcomes(tasks: list[asyncio.Task[str]]) -> list[str]:
    """The reply of each caller, "failed" or "cancelled"."""
    names = {StorageUnavailableError: "failed", asyncio.CancelledError: "cancelled"}
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [names[type(r)] if isinstance(r, BaseException) else r for r in results]
