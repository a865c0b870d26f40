"""The circuit of the pipelined connection: when it opens, and that nobody waits for long."""

import asyncio
import time
from collections.abc import Callable

import pytest

from drill.support.proxy import Proxy
from storage.circuit import FAILURES_TO_OPEN, OPEN_SECONDS
from storage.errors import StorageUnavailableError
from storage.limits import SETTLE
from storage.redis.pipeline import TIMEOUT_SECONDS
from tests.support.loops import eventually_on_loop, on_loop
from tests.support.pipelines import (
    LATE_SECONDS,
    MANY,
    echo,
    echo_soon,
    echoes,
    outcomes,
    pipeline_to,
)
from tests.support.private_server import PrivateServer


@on_loop
async def test_the_circuit_closes_although_every_call_is_of_a_script_that_the_server_has_lost(
    private_server: PrivateServer, proxy_and_url: tuple[Proxy, str]
) -> None:
    proxy, url = proxy_and_url
    call = SETTLE.pack_call([b"k"], [60, 0])

    async def settles() -> bool:
        try:
            return bool(await pipeline.execute([call], SETTLE))
        except StorageUnavailableError:
            return False

    with pipeline_to(url) as pipeline:
        assert await settles()
        with proxy.outage():
            for _ in range(FAILURES_TO_OPEN + 1):
                assert not await settles()
        private_server.client.script_flush()
        await eventually_on_loop(settles)


@on_loop
async def test_connections_that_are_cut_again_and_again_open_the_circuit(
    proxy_and_url: tuple[Proxy, str],
) -> None:
    proxy, url = proxy_and_url
    with pipeline_to(url) as pipeline:
        for _ in range(FAILURES_TO_OPEN):
            hold = proxy.hold(b"ECHO")
            in_flight = echo_soon(pipeline, MANY)
            await asyncio.to_thread(hold.wait)
            proxy.cut()
            assert await outcomes(in_flight) == ["failed"] * MANY
        with pytest.raises(StorageUnavailableError, match="circuit open"):
            await echo(pipeline, "refused unsent")


def pause(server: PrivateServer, _proxy: Proxy) -> Callable[[], None]:
    server.pause()
    return server.resume


def swallow(_server: PrivateServer, proxy: Proxy) -> Callable[[], None]:
    proxy.swallow()
    return proxy.resume


@pytest.mark.parametrize("silence", [pause, swallow])
@on_loop
async def test_a_silent_server_fails_every_waiter_in_time_and_opens_the_circuit(
    private_server: PrivateServer,
    proxy_and_url: tuple[Proxy, str],
    silence: Callable[[PrivateServer, Proxy], Callable[[], None]],
) -> None:
    proxy, url = proxy_and_url
    with pipeline_to(url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        restore = silence(private_server, proxy)
        began = time.monotonic()
        assert await outcomes(echo_soon(pipeline, MANY)) == ["failed"] * MANY
        assert TIMEOUT_SECONDS <= time.monotonic() - began < LATE_SECONDS
        with pytest.raises(StorageUnavailableError, match="circuit open"):
            await echo(pipeline, "refused unsent")
        await asyncio.sleep(OPEN_SECONDS)
        assert not await echoes(pipeline), "the probe fails"
        restore()
        await eventually_on_loop(lambda: echoes(pipeline))
        assert await outcomes(echo_soon(pipeline, MANY)) == [str(n) for n in range(MANY)]


@pytest.mark.parametrize("silence", [pause, swallow])
@on_loop
async def test_a_late_reply_is_given_to_nobody(
    private_server: PrivateServer,
    proxy_and_url: tuple[Proxy, str],
    silence: Callable[[PrivateServer, Proxy], Callable[[], None]],
) -> None:
    proxy, url = proxy_and_url
    with pipeline_to(url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        restore = silence(private_server, proxy)
        assert await outcomes(echo_soon(pipeline, 3)) == ["failed"] * 3
        restore()
        assert await echo(pipeline, "mine") == "mine"
        assert await outcomes(echo_soon(pipeline, 3)) == ["0", "1", "2"]


@on_loop
async def test_one_slow_request_after_another_opens_the_circuit(
    private_server: PrivateServer,
) -> None:
    with pipeline_to(private_server.url) as pipeline:
        private_server.pause()
        for _ in range(FAILURES_TO_OPEN):
            assert not await echoes(pipeline)
        with pytest.raises(StorageUnavailableError, match="circuit open"):
            await echo(pipeline, "refused unsent")


@on_loop
async def test_a_server_that_is_down_fails_callers_at_once(
    private_server: PrivateServer,
) -> None:
    private_server.kill()
    with pipeline_to(private_server.url) as pipeline:
        began = time.monotonic()
        assert await outcomes(echo_soon(pipeline, MANY)) == ["failed"] * MANY
        assert time.monotonic() - began < LATE_SECONDS
