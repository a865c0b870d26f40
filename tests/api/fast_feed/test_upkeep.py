"""The upkeep: what one process does once a second, also while the cache is down or after a bug."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY

from api.fast_feed import upkeep as module
from api.fast_feed.upkeep import Upkeep
from feed.copies import Copies, body_of
from feed.copy_reading import CopyReader
from storage import changes
from storage.changes import Changes
from storage.limits import LimitUse, Policy, limit_key
from storage.read_quotas import ReadQuotas
from storage.redis.generation import Generation
from storage.redis.pipeline import Pipeline
from storage.redis.server import Server
from tests.support.failing_output import FULL, Output
from tests.support.loops import eventually_on_loop, on_loop
from tests.support.private_server import PrivateServer, start

POLICY = Policy(name="tests", quota=10, window_seconds=60)
VIEWER = 7
MANY = 1_000


class Process:
    """What one process keeps, over a real cache."""

    def __init__(self, url: str) -> None:
        self.cache = Pipeline("cache", url, Generation())
        self.copies = Copies(1_000_000)
        self.reader = CopyReader(self.cache, self.copies)
        self.quotas = ReadQuotas(POLICY)
        self.upkeep = Upkeep(
            cache=self.cache, reader=self.reader, copies=self.copies, quotas=self.quotas
        )

    def read(self) -> LimitUse:
        """A read of the viewer is counted."""
        return self.quotas.take(VIEWER, time.monotonic())

    def keep_body(self, post_id: int) -> None:
        body = body_of(b'{"id":"1","author":{"id":"5"}}')
        self.copies.keep_bodies({post_id: body}, self.copies.clock)

    def has_body(self, post_id: int) -> bool:
        return self.copies.bodies_of([post_id]) != [None]

    def close(self) -> None:
        self.cache.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of the upkeep is short."""
    monkeypatch.setattr(module, "PERIOD_SECONDS", 0.01)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"photofeed_{name}", labels) or 0.0


def failures() -> float:
    return sample("fail_open_total", what="read quotas")


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[None]:
    """The upkeep of a process runs; afterwards it must end by its cancellation."""
    task = asyncio.create_task(process.upkeep.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


def settled(server: PrivateServer) -> int:
    """The viewer's reads that the cache knows of."""
    value = server.client.get(limit_key(POLICY, VIEWER))
    assert value is None or isinstance(value, bytes)
    return int(value or 0)


@on_loop
async def test_processes_learn_of_the_reads_of_each_other(cache: PrivateServer) -> None:
    with closing(Process(cache.url)) as one, closing(Process(cache.url)) as two:
        for process in (one, two):
            for _ in range(3):
                process.read()
        for process in (one, two, one):
            process.read()
            await process.upkeep.step()
        assert settled(cache) == 9
        assert one.read().remaining == 0
        assert two.read().remaining == 1, "it has not settled since"


@on_loop
async def test_changes_of_partitions_that_nobody_reads_are_applied(
    cache: PrivateServer,
) -> None:
    server = Server("cache", cache.url)
    with closing(server), closing(Process(cache.url)) as process:
        await process.upkeep.step()
        process.keep_body(1)
        process.keep_body(2)
        Changes(server).announce([changes.post(1)])
        assert process.has_body(1)
        await process.upkeep.step()
        assert not process.has_body(1)
        assert process.has_body(2)


@on_loop
async def test_what_happened_to_the_copies_is_reported(cache: PrivateServer) -> None:
    def reads() -> list[float]:
        return [sample("copy_reads_total", result=result) for result in ("hit", "miss")]

    with closing(Process(cache.url)) as process:
        await process.upkeep.step()
        process.keep_body(1)
        for _ in range(MANY):
            process.copies.bodies_of([1, 2, 3])
        cache.pause()  # it is reported without the cache, too
        before = reads()
        await process.upkeep.step()
        hits, misses = (now - then for now, then in zip(reads(), before, strict=True))
        assert hits >= MANY, "applications of other tests may report a few, too"
        assert misses >= 2 * MANY
        for _ in range(20):  # an application of another test may set the gauge just after this one
            if sample("copy_bytes") == process.copies.size_bytes:
                break
            await process.upkeep.step()
        assert sample("copy_bytes") == process.copies.size_bytes > 0
        cache.resume()


@on_loop
async def test_a_settlement_that_is_refused_keeps_back_no_change(
    cache: PrivateServer,
) -> None:
    server = Server("cache", cache.url)
    with closing(server), closing(Process(cache.url)) as process:
        await process.upkeep.step()
        cache.client.lpush(limit_key(POLICY, VIEWER), "no count")
        process.read()
        process.keep_body(1)
        Changes(server).announce([changes.post(1)])
        before = failures()
        await process.upkeep.step()
        assert failures() == before + 1
        assert not process.has_body(1)


@pytest.mark.usefixtures("quick")
@on_loop
async def test_the_upkeep_goes_on_after_an_outage_and_logs_the_first_failure_in_a_row(
    tmp_path: Path,
) -> None:
    before = failures()
    with start(tmp_path) as server, structlog.testing.capture_logs() as logs:
        port, password = server.port, server.password
        with closing(Process(server.url)) as process:
            async with running(process):
                process.read()
                await eventually_on_loop(lambda: settled(server) == 1)
                server.kill()
                await eventually_on_loop(lambda: failures() == before + 1)
                await asyncio.sleep(0.3)  # many more periods
                with start(tmp_path, port=port, password=password) as again:
                    await eventually_on_loop(lambda: process.read() and settled(again))
                    await eventually_on_loop(lambda: not process.upkeep._failed_open)
                    again.kill()
                    await eventually_on_loop(lambda: failures() == before + 2)
    lines = [line for line in logs if line["event"] == "failed open"]
    assert [(line["what"], line["part"]) for line in lines] == [("read quotas", "cache")] * 2


@pytest.mark.usefixtures("quick")
@on_loop
async def test_the_upkeep_goes_on_after_a_bug(
    cache: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Process(cache.url)) as process, structlog.testing.capture_logs() as logs:
        async with running(process):
            monkeypatch.setattr(process.quotas, "settlements", lambda _now: 1 / 0)
            await eventually_on_loop(lambda: len(logs) > 1)
            monkeypatch.delattr(process.quotas, "settlements")
            process.read()
            await eventually_on_loop(lambda: settled(cache) == 1)
    assert {line["event"] for line in logs} == {"upkeep failed"}


@pytest.mark.usefixtures("quick")
@on_loop
async def test_the_upkeep_goes_on_after_a_bug_that_cannot_be_logged(
    cache: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output()
    output.failure = FULL
    monkeypatch.setattr(module, "log", output.logger())
    with closing(Process(cache.url)) as process:
        async with running(process):
            monkeypatch.setattr(process.quotas, "settlements", lambda _now: 1 / 0)
            await eventually_on_loop(lambda: output.failed > 1)
