"""Open streams, slow requests and slow bodies when the process is asked to stop (SIGTERM)."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager

import pytest

from api.loop.serving import AsgiApp
from api.loop.stopping import Stopping
from tests.support.asgi import Exchange
from tests.support.eventually import eventually
from tests.support.granian import Server, asgi_command, free_port, serving
from tests.support.raw_http import RawConnection, connected, send_raw

HOST = b"Host: photofeed\r\n"
STREAMS = 100
STREAM = b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n"
ECHO = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
STOP_SECONDS = 10.0
"""The bound of these tests on a busy machine. Without the callbacks a stop takes 30 s."""


@pytest.fixture
def server() -> Iterator[Server]:
    port = free_port()
    command = asgi_command("tests.support.loop_apps:app", port)
    with serving(command, port) as server:
        eventually(lambda: answers(server))
        yield server


def open_streams(server: Server, opened: ExitStack, count: int) -> list[RawConnection]:
    """Connections with a stream that has begun."""
    streams = [opened.enter_context(connected(server.url)) for _ in range(count)]
    for stream in streams:
        stream.send(STREAM)
    for stream in streams:
        assert b"open\n" in stream.read_until(b"open\n")
    return streams


def answers(server: Server) -> bool:
    try:
        return send_raw(server.url, ECHO).status == 200
    except OSError:  # a worker listens by itself: nobody does before it is ready
        return False


def test_a_hundred_open_streams_end_with_the_server(server: Server) -> None:
    with ExitStack() as opened:
        streams = open_streams(server, opened, STREAMS)
        start_time = time.monotonic()
        server.process.terminate()
        assert all(stream.read_until_closed().endswith(b"end\n\r\n0\r\n\r\n") for stream in streams)
        assert server.process.wait(STOP_SECONDS) == 0
        print(f"{STREAMS} streams: stopped in {time.monotonic() - start_time:.2f} s")


def test_a_worker_that_gets_the_signal_ends_its_streams_and_is_replaced(server: Server) -> None:
    [old] = server.worker_pids()
    with ExitStack() as opened:
        streams = open_streams(server, opened, 20)
        os.kill(old, signal.SIGTERM)
        assert all(stream.read_until_closed().endswith(b"end\n\r\n0\r\n\r\n") for stream in streams)
    eventually(lambda: old not in server.worker_pids() and server.worker_pids())
    eventually(lambda: answers(server))


def test_a_killed_worker_is_replaced(server: Server) -> None:
    [old] = server.worker_pids()
    os.kill(old, signal.SIGKILL)
    eventually(lambda: old not in server.worker_pids() and server.worker_pids())
    eventually(lambda: answers(server))


def test_a_slow_request_is_answered_before_the_process_ends(server: Server) -> None:
    with connected(server.url) as connection:
        connection.send(b"GET /?sleep=1.5 HTTP/1.1\r\n" + HOST + b"\r\n")
        eventually(lambda: answers(server))
        server.process.terminate()
        assert connection.read().status == 200
        assert server.process.wait(STOP_SECONDS) == 0


def test_idle_connections_do_not_delay_the_stop(server: Server) -> None:
    with connected(server.url) as idle, connected(server.url) as silent:
        idle.send(ECHO)
        assert idle.read().status == 200
        server.process.terminate()
        assert server.process.wait(STOP_SECONDS) == 0
        assert idle.is_closed()
        assert silent.is_closed()


def test_a_body_that_arrives_slowly_ends_in_bounded_time(server: Server) -> None:
    with connected(server.url, seconds=40) as connection:
        connection.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\nabc")
        eventually(lambda: answers(server))
        server.process.terminate()
        connection.send(b"defghi")
        assert connection.read().status == 200
        assert server.process.wait(STOP_SECONDS) == 0


# The callbacks


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


async def refuse(*_: object) -> None:
    raise AssertionError("no request is sent")


def lifespan(running: Callable[[], AbstractAsyncContextManager[None]]) -> list[str]:
    """What the application answers to a start and a stop."""
    exchange = Exchange([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    app = AsgiApp({}, refuse, running)
    asyncio.run(app({"type": "lifespan"}, exchange.receive, exchange.send))
    return [message["type"] for message in exchange.sent]


def test_a_start_and_a_stop_are_confirmed() -> None:
    assert lifespan(nothing) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_start_that_fails_is_reported() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise OSError
        yield

    assert lifespan(broken) == ["lifespan.startup.failed"]


def test_a_callback_that_fails_does_not_keep_the_others_from_running() -> None:
    def fail() -> None:
        raise OSError

    called: list[str] = []
    stopping = Stopping()
    stopping.on_stop(lambda: called.append("first"))
    stopping.on_stop(fail)
    stopping.on_stop(lambda: called.append("last"))
    stopping.stop()
    assert called == ["first", "last"]


def test_the_signal_also_runs_the_handler_that_was_there() -> None:
    called: list[str] = []
    earlier = signal.signal(signal.SIGTERM, lambda *_: called.append("earlier"))
    interrupt = signal.getsignal(signal.SIGINT)

    async def stop() -> None:
        stopping, stopped = Stopping(), asyncio.Event()
        stopping.on_stop(stopped.set)
        stopping.watch()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stopped.wait(), 10)

    try:
        asyncio.run(stop())
    finally:
        signal.signal(signal.SIGTERM, earlier)
        signal.signal(signal.SIGINT, interrupt)
    assert called == ["earlier"]


def test_outside_the_main_thread_no_signal_is_watched() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def watch() -> None:
        Stopping().watch()

    thread = threading.Thread(target=lambda: asyncio.run(watch()))
    thread.start()
    thread.join(10)
    assert signal.getsignal(signal.SIGTERM) is before
