"""Opening a pipelined connection: shared by callers, checked, and named."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.errors import StorageUnavailableError
from storage.redis import pipeline as module
from storage.redis.generation import CLIENT_NAME, KEY
from storage.redis.pipeline import TIMEOUT_SECONDS, Pipeline
from storage.redis.protocol import pack
from tests.support.loops import eventually_on_loop, on_loop
from tests.support.pipelines import (
    LATE_SECONDS,
    echo,
    echo_soon,
    echoes,
    outcomes,
    pipeline_to,
)
from tests.support.private_server import PrivateServer, start


@asynccontextmanager
async def an_opening(
    server: PrivateServer, monkeypatch: pytest.MonkeyPatch, *, callers: int
) -> AsyncIterator[tuple[Pipeline, list[asyncio.Task[str]]]]:
    """A pipeline that opens a connection to a paused server, and the requests that wait for it."""
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 60 * TIMEOUT_SECONDS)
    with pipeline_to(server.url) as pipeline:
        server.pause()
        requests = echo_soon(pipeline, callers)
        await asyncio.sleep(0.05)
        yield pipeline, requests


@on_loop
async def test_callers_share_an_opening_also_if_the_first_of_them_is_gone(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_opening(private_server, monkeypatch, callers=50) as (_, requests):
        requests[0].cancel()
        private_server.resume()
        assert await outcomes(requests) == ["cancelled", *(str(n) for n in range(1, 50))]
        assert len(private_server.other_connections()) == 1


@on_loop
async def test_closing_ends_an_opening(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_opening(private_server, monkeypatch, callers=3) as (pipeline, requests):
        pipeline.close()
        async with asyncio.timeout(LATE_SECONDS):
            assert await outcomes(requests) == ["failed"] * 3
        private_server.resume()
        await eventually_on_loop(lambda: not private_server.other_connections())


@on_loop
async def test_an_opening_that_all_callers_have_left_harms_nobody(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_opening(private_server, monkeypatch, callers=3) as (pipeline, requests):
        for request in requests:
            request.cancel()
        assert await outcomes(requests) == ["cancelled"] * 3
        await eventually_on_loop(lambda: pipeline._opening is None)
        private_server.resume()
        await eventually_on_loop(lambda: echoes(pipeline))


@on_loop
async def test_each_new_connection_is_checked_for_old_data(private_server: PrivateServer) -> None:
    with pipeline_to(private_server.url) as pipeline:
        for _ in range(3):
            private_server.client.set(KEY, f"{'ab' * 20} 77 2")  # of an earlier run of the server
            private_server.client.set("old", "data")
            assert await pipeline.execute([pack(b"GET", b"old")]) == [None]
            for client_id in private_server.other_connections():
                private_server.command("CLIENT", "KILL", "ID", client_id)
            await eventually_on_loop(lambda: not pipeline._link or pipeline._link.closed)


@on_loop
async def test_a_server_of_another_layout_is_refused(private_server: PrivateServer) -> None:
    run_id = private_server.client.info("server")["run_id"]
    private_server.client.set(KEY, f"{run_id} 77 1")
    with pipeline_to(private_server.url) as pipeline:
        with pytest.raises(StorageUnavailableError, match="python -m api init"):
            await echo(pipeline, "refused")
        await eventually_on_loop(lambda: not private_server.other_connections())


@on_loop
async def test_the_connection_has_the_name_of_our_layout(private_server: PrivateServer) -> None:
    with pipeline_to(private_server.url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        names = [client["name"] for client in private_server.client.client_list()]
        assert names.count(CLIENT_NAME) == 1


def test_options_of_the_url_do_not_change_the_protocol(tmp_path: Path) -> None:
    @on_loop
    async def scenario(server: PrivateServer) -> None:
        url = f"unix://:{server.password}@{tmp_path}/socket?db=3&max_connections=7&protocol=3"
        with pipeline_to(url) as pipeline:
            assert await pipeline.execute([pack(b"SET", b"k", b"v"), pack(b"HGETALL", b"no")]) == [
                b"OK",
                [],
            ]
            assert server.client.info("keyspace")["db3"]

    with start(tmp_path, f"unixsocket {tmp_path}/socket") as server:
        scenario(server)
