"""Kept connections: whole replies, bounded waits, and nobody gets another's reply."""

import time
from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import ResponseError

from drill.support.proxy import Proxy, proxied
from storage.errors import StorageRefusedError, StorageUnavailableError
from storage.redis.pool import LOOK_SECONDS, READ_BYTES
from storage.redis.protocol import pack
from storage.redis.server import TIMEOUT_SECONDS, Server
from tests.support.private_server import PrivateServer

WAIT_SECONDS = 3 * TIMEOUT_SECONDS


@pytest.fixture
def through(private_server: PrivateServer) -> Iterator[tuple[Server, Proxy]]:
    """A server as a process has it, and the way to it."""
    proxy, url = proxied(private_server.url)
    server = Server("cache", url)
    yield server, proxy
    server.close()
    proxy.close()


def get(server: Server, *keys: bytes) -> list[bytes | None]:
    return server.kept.ask(b"".join(pack(b"GET", key) for key in keys), len(keys))


def test_a_reply_longer_than_what_is_read_at_once_is_whole(
    private_server: PrivateServer, through: tuple[Server, Proxy]
) -> None:
    server, _ = through
    texts = [bytes([65 + n]) * (READ_BYTES * n + n) for n in range(4)]
    for n, text in enumerate(texts):
        private_server.client.set(f"k{n}", text)
    assert get(server, b"k3", b"k1", b"none", b"k2", b"k0") == [
        texts[3], texts[1], None, texts[2], texts[0],
    ]  # fmt: skip


def stop(private_server: PrivateServer, _proxy: Proxy) -> Callable[[], None]:
    private_server.stop()
    return private_server.go_on


def swallow(_server: PrivateServer, proxy: Proxy) -> Callable[[], None]:
    proxy.swallow()
    return proxy.resume


@pytest.mark.parametrize("silence", [stop, swallow])
def test_a_silent_server_is_given_up_and_its_late_reply_is_nobodys(
    private_server: PrivateServer,
    through: tuple[Server, Proxy],
    silence: Callable[[PrivateServer, Proxy], Callable[[], None]],
) -> None:
    server, proxy = through
    private_server.client.mset({"mine": "1", "yours": "2"})
    assert get(server, b"mine") == [b"1"]
    end = silence(private_server, proxy)
    began = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        get(server, b"mine")
    assert time.monotonic() - began < WAIT_SECONDS
    end()
    assert get(server, b"yours") == [b"2"]


def test_a_connection_cut_in_mid_reply_is_an_error_and_the_next_one_is_new(
    private_server: PrivateServer, through: tuple[Server, Proxy]
) -> None:
    server, proxy = through
    private_server.client.mset({"long": "x" * 100_000, "yours": "2"})
    assert get(server, b"yours") == [b"2"]
    cut = proxy.cut_after(50_000)
    with pytest.raises(StorageUnavailableError):
        get(server, b"long")
    assert cut.done
    assert get(server, b"yours") == [b"2"]


def test_one_that_was_cut_while_it_lay_idle_is_not_used(
    private_server: PrivateServer, through: tuple[Server, Proxy]
) -> None:
    server, proxy = through
    private_server.client.set("yours", "2")
    assert get(server, b"yours") == [b"2"]
    proxy.cut()
    time.sleep(LOOK_SECONDS)
    assert get(server, b"yours") == [b"2"]


def test_an_error_among_the_replies_is_raised_and_leaves_none_behind(
    private_server: PrivateServer, through: tuple[Server, Proxy]
) -> None:
    server, _ = through
    private_server.client.set("yours", "2")
    buffer = pack(b"INCRBY", b"yours", b"x") + pack(b"GET", b"yours")
    with pytest.raises(StorageRefusedError) as refused:
        server.kept.ask(buffer, 2)
    assert isinstance(refused.value.__cause__, ResponseError)
    assert get(server, b"yours") == [b"2"]
