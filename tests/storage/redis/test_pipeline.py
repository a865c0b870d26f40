"""The pipelined connection of an event loop: every caller gets its own replies, or an error."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from drill.support.proxy import Proxy
from storage.circuit import FAILURES_TO_OPEN
from storage.errors import StorageRefusedError, StorageUnavailableError
from storage.limits import SETTLE
from storage.redis import pipeline as module
from storage.redis.pipeline import TIMEOUT_SECONDS
from storage.redis.protocol import pack
from tests.support.loops import eventually_on_loop, on_loop, run_on
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


def reads_of(server: PrivateServer) -> int:
    """How often the server has read from a connection."""
    return int(server.client.info("stats")["total_reads_processed"])


@on_loop
async def test_concurrent_callers_get_their_own_replies_in_order(
    private_server: PrivateServer,
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def ask(caller: int) -> None:
        for turn in range(5):
            texts = [f"{caller} {turn} {n}".encode() for n in range(chance.randrange(1, 9))]
            assert await pipeline.execute([pack(b"ECHO", text) for text in texts]) == texts
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 100)

    with pipeline_to(private_server.url) as pipeline:
        await asyncio.gather(*map(ask, range(300)))
        assert len(private_server.other_connections()) == 1


@on_loop
async def test_what_is_asked_in_one_turn_of_the_loop_goes_out_in_one_send(
    private_server: PrivateServer,
) -> None:
    with pipeline_to(private_server.url) as pipeline:
        await echoes(pipeline)
        before = reads_of(private_server)
        await asyncio.gather(*echo_soon(pipeline, 200))
        info = 1
        assert reads_of(private_server) - before == 1 + info


@on_loop
async def test_a_request_without_commands_has_no_replies(private_server: PrivateServer) -> None:
    with pipeline_to(private_server.url) as pipeline:
        assert await pipeline.execute([]) == []
        await eventually_on_loop(lambda: echoes(pipeline))


@on_loop
async def test_a_script_that_the_server_has_lost_is_loaded(private_server: PrivateServer) -> None:
    call = SETTLE.pack_call([b"k"], [60, 0])
    commands = [pack(b"ECHO", b"before"), call, pack(b"ECHO", b"after")]
    with pipeline_to(private_server.url) as pipeline:
        with pytest.raises(StorageUnavailableError):
            await pipeline.execute(commands)
        for _ in range(2):
            requests = [pipeline.execute(commands, SETTLE) for _ in range(20)]
            for replies in await asyncio.gather(*requests):
                assert (replies[0], replies[1][0], replies[2]) == (b"before", 0, b"after")
            private_server.client.script_flush()
        assert len(private_server.other_connections()) == 1


@on_loop
async def test_an_error_reply_fails_only_its_request(private_server: PrivateServer) -> None:
    wrong = [pack(b"GET", b"text"), pack(b"LLEN", b"text"), pack(b"GET", b"text")]
    with pipeline_to(private_server.url) as pipeline:
        await pipeline.execute([pack(b"SET", b"text", b"no list")])
        for _ in range(FAILURES_TO_OPEN + 1):
            before, refused, after = await asyncio.gather(
                echo(pipeline, "before"),
                pipeline.execute(wrong),
                echo(pipeline, "after"),
                return_exceptions=True,
            )
            assert (before, after) == ("before", "after")
            assert isinstance(refused, StorageRefusedError)
        assert len(private_server.other_connections()) == 1


@on_loop
async def test_a_cut_fails_the_requests_in_flight_and_the_next_one_opens_a_connection(
    private_server: PrivateServer, proxy_and_url: tuple[Proxy, str]
) -> None:
    proxy, url = proxy_and_url
    calls_at_connect: list[int] = []
    with pipeline_to(url) as pipeline:
        pipeline.on_connect = lambda: calls_at_connect.append(private_server.calls_of("echo"))
        await eventually_on_loop(lambda: echoes(pipeline))
        hold = proxy.hold(b"ECHO")
        in_flight = echo_soon(pipeline, MANY)
        await asyncio.to_thread(hold.wait)
        proxy.cut()
        assert await outcomes(in_flight) == ["failed"] * MANY
        assert await outcomes(echo_soon(pipeline, MANY)) == [str(n) for n in range(MANY)]
        assert calls_at_connect == [0, 1], "it is called before anything is read"


@on_loop
async def test_replies_that_arrived_before_a_cut_are_given_to_their_callers(
    private_server: PrivateServer, proxy_and_url: tuple[Proxy, str]
) -> None:
    proxy, url = proxy_and_url
    with pipeline_to(url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        private_server.client.set("long", "x" * 100_000)
        proxy.cut_after(50_000)
        long = pipeline.execute([pack(b"GET", b"long")])
        first, cut, last = await asyncio.gather(
            echo(pipeline, "first"), long, echo(pipeline, "last"), return_exceptions=True
        )
        assert first == "first"
        assert {type(cut), type(last)} == {StorageUnavailableError}
        await eventually_on_loop(lambda: echoes(pipeline))


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_reply_that_arrived_while_the_loop_was_busy_is_not_late(
    private_server: PrivateServer, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def scenario() -> None:
        with pipeline_to(private_server.url) as pipeline:
            await eventually_on_loop(lambda: echoes(pipeline))
            requests = echo_soon(pipeline, 3)
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(time.sleep, 3 * TIMEOUT_SECONDS)
            assert await outcomes(requests) == ["0", "1", "2"]

    run_on(new_loop, scenario())


@on_loop
async def test_a_request_beyond_the_bound_is_refused_and_harms_no_other(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 8)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 60 * TIMEOUT_SECONDS)
    with pipeline_to(private_server.url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        private_server.pause()
        waiting = echo_soon(pipeline, 8)
        await asyncio.sleep(0)
        for _ in range(MANY):
            with pytest.raises(StorageUnavailableError, match="too many requests"):
                await echo(pipeline, "too much")
        private_server.resume()
        assert await outcomes(waiting) == [str(n) for n in range(8)]
        assert await echoes(pipeline), "a refusal is no failure of the server"


@on_loop
async def test_what_a_server_does_not_read_is_bounded(
    private_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_UNSENT_BYTES", 300_000)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 60 * TIMEOUT_SECONDS)
    with pipeline_to(private_server.url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        private_server.pause()
        sent: list[asyncio.Task[str]] = []
        assert pipeline._link
        while not pipeline._link.is_full():
            sent.append(asyncio.create_task(echo(pipeline, str(len(sent)).zfill(100_000))))
            await asyncio.sleep(0)  # it is asked
            await asyncio.sleep(0)  # it is sent
        with pytest.raises(StorageUnavailableError, match="too many requests"):
            await echo(pipeline, "too much")
        assert pipeline._link._transport.get_write_buffer_size() <= 300_000 + 2 * 100_100
        private_server.resume()
        assert await outcomes(sent) == [str(n).zfill(100_000) for n in range(len(sent))]
        await eventually_on_loop(lambda: echoes(pipeline))


@on_loop
async def test_a_caller_that_is_gone_harms_no_other(private_server: PrivateServer) -> None:
    with pipeline_to(private_server.url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        private_server.pause()
        requests = echo_soon(pipeline, 10)
        await asyncio.sleep(0)
        for number in (0, 4, 9):
            requests[number].cancel()
        private_server.resume()
        expected = [str(n) if n not in (0, 4, 9) else "cancelled" for n in range(10)]
        assert await outcomes(requests) == expected
        await eventually_on_loop(lambda: echoes(pipeline))
        assert len(private_server.other_connections()) == 1


@on_loop
async def test_closing_fails_the_requests_in_flight_and_a_later_one_opens_another_connection(
    private_server: PrivateServer,
) -> None:
    with pipeline_to(private_server.url) as pipeline:
        await eventually_on_loop(lambda: echoes(pipeline))
        private_server.pause()
        requests = echo_soon(pipeline, MANY)
        await asyncio.sleep(0)
        pipeline.close()
        assert await outcomes(requests) == ["failed"] * MANY
        private_server.resume()
        await eventually_on_loop(lambda: not private_server.other_connections())
        await eventually_on_loop(lambda: echoes(pipeline))
        private_server.pause()
        async with asyncio.timeout(LATE_SECONDS):
            assert not await echoes(pipeline), "the new connection has a time-out, too"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_failed_connections_leave_nothing_open(
    private_server: PrivateServer,
    proxy_and_url: tuple[Proxy, str],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    proxy, url = proxy_and_url

    async def scenario() -> None:
        for disturb in (proxy.cut, proxy.swallow):
            for _ in range(3):
                with pipeline_to(url) as pipeline:
                    await eventually_on_loop(lambda: echoes(pipeline))
                    disturb()
                    await echoes(pipeline)  # on the open connection
                    await echoes(pipeline)  # it opens another one, perhaps in vain
                proxy.resume()
        await eventually_on_loop(lambda: not private_server.other_connections())

    open_before = _open_sockets()
    run_on(new_loop, scenario())
    proxy.cut()
    assert _open_sockets() <= open_before


def _open_sockets() -> int:
    """The sockets of this process."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


@on_loop
async def test_random_disturbances_give_nobody_the_reply_of_another(
    private_server: PrivateServer, proxy_and_url: tuple[Proxy, str]
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    proxy, url = proxy_and_url
    counts = {"replies": 0, "failures": 0}

    async def ask(caller: int) -> None:
        for turn in range(40):
            texts = [f"{caller} {turn} {n}".encode() for n in range(chance.randrange(1, 4))]
            request = pipeline.execute([pack(b"ECHO", text) for text in texts])
            try:
                async with asyncio.timeout(chance.choice([None, None, 0.001, 0.02])):
                    assert await request == texts
                counts["replies"] += 1
            except (StorageUnavailableError, TimeoutError):
                counts["failures"] += 1
                await asyncio.sleep(chance.random() / 10)

    async def disturb() -> None:
        while True:
            await asyncio.sleep(chance.random() / 10)
            match chance.choice(["cut", "cut after", "kill"]):
                case "cut":
                    proxy.cut()
                case "cut after":
                    proxy.cut_after(chance.randrange(2_000))
                case "kill":
                    for client_id in private_server.other_connections():
                        private_server.command("CLIENT", "KILL", "ID", client_id)

    with pipeline_to(url) as pipeline:
        disturbing = asyncio.create_task(disturb())
        await asyncio.gather(*map(ask, range(50)))
        disturbing.cancel()
        await asyncio.wait([disturbing])
        assert disturbing.cancelled()
        print(counts)
        assert min(counts.values()) > 10
