"""The pool: replies are whole, waits are bounded, and no caller gets another's reply."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis.exceptions import ResponseError

from drill.support.proxy import Proxy, proxied
from storage.errors import StorageRefusedError, StorageUnavailableError
from storage.redis.pool import IDLE_CHECK_SECONDS, READ_BYTES
from storage.redis.protocol import pack
from storage.redis.server import TIMEOUT_SECONDS, Server
from tests.support.private_server import PrivateServer

WAIT_SECONDS = 3 * TIMEOUT_SECONDS


@pytest.fixture
def server_and_proxy(private_server: PrivateServer) -> Iterator[tuple[Server, Proxy]]:
    """A server behind a proxy."""
    proxy, url = proxied(private_server.url)
    server = Server("cache", url)
    yield server, proxy
    server.close()
    proxy.close()


def get(server: Server, *keys: bytes) -> list[bytes | None]:
    return server.pool.execute(b"".join(pack(b"GET", key) for key in keys), len(keys))


def test_a_reply_longer_than_the_receive_buffer_is_whole(
    private_server: PrivateServer, server_and_proxy: tuple[Server, Proxy]
) -> None:
    server, _ = server_and_proxy
    texts = [bytes([65 + n]) * (READ_BYTES * n + n) for n in range(4)]
    for n, text in enumerate(texts):
        private_server.client.set(f"k{n}", text)
    assert get(server, b"k3", b"k1", b"none", b"k2", b"k0") == [
        texts[3], texts[1], None, texts[2], texts[0],
    ]  # fmt: skip


def pause(private_server: PrivateServer, _proxy: Proxy) -> Callable[[], None]:
    private_server.pause()
    return private_server.resume


def swallow(_server: PrivateServer, proxy: Proxy) -> Callable[[], None]:
    proxy.swallow()
    return proxy.resume


@pytest.mark.parametrize("silence", [pause, swallow])
def test_a_call_of_a_silent_server_times_out_and_no_caller_gets_its_late_reply(
    private_server: PrivateServer,
    server_and_proxy: tuple[Server, Proxy],
    silence: Callable[[PrivateServer, Proxy], Callable[[], None]],
) -> None:
    server, proxy = server_and_proxy
    private_server.client.mset({"mine": "1", "yours": "2"})
    assert get(server, b"mine") == [b"1"]
    restore = silence(private_server, proxy)
    start = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        get(server, b"mine")
    assert time.monotonic() - start < WAIT_SECONDS
    restore()
    assert get(server, b"yours") == [b"2"]


def test_a_connection_cut_within_a_reply_is_an_error_and_the_next_call_opens_another(
    private_server: PrivateServer, server_and_proxy: tuple[Server, Proxy]
) -> None:
    server, proxy = server_and_proxy
    private_server.client.mset({"long": "x" * 100_000, "yours": "2"})
    assert get(server, b"yours") == [b"2"]
    cut = proxy.cut_after(50_000)
    with pytest.raises(StorageUnavailableError):
        get(server, b"long")
    assert cut.done
    assert get(server, b"yours") == [b"2"]


def test_a_connection_cut_while_idle_is_not_used(
    private_server: PrivateServer, server_and_proxy: tuple[Server, Proxy]
) -> None:
    server, proxy = server_and_proxy
    private_server.client.set("yours", "2")
    assert get(server, b"yours") == [b"2"]
    proxy.cut()
    time.sleep(IDLE_CHECK_SECONDS)
    assert get(server, b"yours") == [b"2"]


def test_an_error_among_the_replies_is_raised_and_no_reply_stays_unread(
    private_server: PrivateServer, server_and_proxy: tuple[Server, Proxy]
) -> None:
    server, _ = server_and_proxy
    private_server.client.set("yours", "2")
    buffer = pack(b"INCRBY", b"yours", b"x") + pack(b"GET", b"yours")
    with pytest.raises(StorageRefusedError) as raised:
        server.pool.execute(buffer, 2)
    assert isinstance(raised.value.__cause__, ResponseError)
    assert get(server, b"yours") == [b"2"]


class _GivenBack:
    """An idle connection. Whenever something is set on it, another thread gives one back."""

    _idle: Any

    def __init__(self, server: Server) -> None:
        object.__setattr__(self, "_idle", server.pool._idle)

    def __setattr__(self, name: str, value: object) -> None:
        self._idle.append(_GivenBack)


def test_a_connection_that_fails_while_others_are_given_back_fails_its_caller_alone(
    server_and_proxy: tuple[Server, Proxy],
) -> None:
    server, proxy = server_and_proxy
    get(server, b"key")
    server.pool._idle.appendleft(_GivenBack(server))  # type: ignore[arg-type]
    proxy.cut_after(1)
    with pytest.raises(StorageUnavailableError):
        get(server, b"key")
