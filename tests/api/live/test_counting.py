"""Events whose counts hang: they are sent late, and nothing waits for their counts any more."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.live import counting
from api.live.counting import COUNTS_A_BUFFER, NOTIFICATION, TICK, Counting
from api.live.journal import Journal
from api.live.streams import Stream
from api.loop.threads import BoundedThreads
from api.services.sessions import Viewer
from tests.support.loops import eventually_on_loop, on_loop

STREAMS = 30


@asynccontextmanager
async def running() -> AsyncIterator[Counting]:
    """Counting in one thread, whose count does not end before the test."""
    released = threading.Event()
    threads = BoundedThreads(1, name="counting", wait_seconds=60)
    unused: Any = None

    def count(_user_id: int) -> None:
        released.wait()

    counts = Counting(unused, unused, threads, Journal(), counts={NOTIFICATION: count})
    work = (counts.run_fast(), counts.run_slowly(), counts.run_late())
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        yield counts
    finally:
        released.set()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        threads.close()


def new_stream() -> Stream:
    return Stream(Viewer(user_id=1, session_id=1), None, expires_at=0)


@pytest.mark.parametrize("event", [TICK, NOTIFICATION])
@on_loop
async def test_streams_that_have_ended_are_not_kept_for_counts_that_hang(
    event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Counting, "_tails", hang)
    monkeypatch.setattr(counting, "LATEST_SECONDS", 0.1)
    async with running() as counts:
        streams = [new_stream() for _ in range(STREAMS)]
        for stream in streams:
            counts.owe(stream, event)
        for stream in streams:
            assert f"event: {event}".encode() in await stream.unsent()
        open_ones = weakref.WeakSet(streams)
        del streams, stream
        gc.collect()
        being_counted, sent_last = COUNTS_A_BUFFER, 1
        await eventually_on_loop(lambda: len(open_ones) <= being_counted + sent_last)
