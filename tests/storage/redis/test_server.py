"""Pings, and connections for packed buffers."""

import time
from contextlib import suppress

import pytest

from drill.support.proxy import proxied
from storage import Storage, StorageUnavailableError
from storage.circuit import FAILURES_TO_OPEN
from storage.limits import TAKE
from storage.redis.protocol import pack
from storage.redis.server import Server
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer


def test_both_servers_are_pinged(storage: Storage) -> None:
    storage.ping_cache()
    storage.ping_queue()


def test_a_ping_of_a_paused_server_takes_half_a_second(private_server: PrivateServer) -> None:
    server = Server("queue", private_server.url)
    private_server.pause()
    start = time.monotonic()
    with pytest.raises(StorageUnavailableError) as raised:
        server.ping()

    assert raised.value.part == "queue"
    assert time.monotonic() - start < 0.9


@pytest.mark.parametrize("fails", [False, True])
def test_a_connection_with_unread_replies_is_closed(
    private_server: PrivateServer, fails: bool
) -> None:
    """The next caller would read the reply to another's command."""
    cache = Server("cache", private_server.url)
    with suppress(KeyError), cache.connection() as connection:
        connection.send(pack(b"PING"), 1)
        if fails:
            raise KeyError
    eventually(lambda: not private_server.other_connections())

    with cache.connection() as connection:
        assert connection.execute([pack(b"ECHO", b"mine")]) == [b"mine"]
    assert len(private_server.other_connections()) == 1  # all replies are read: it stays open
    cache.close()


def test_the_circuit_closes_although_every_call_is_of_a_script_that_the_server_has_lost(
    private_server: PrivateServer,
) -> None:
    proxy, url = proxied(private_server.url)
    cache = Server("cache", url)

    def takes() -> bool:
        try:
            return bool(cache.execute([TAKE.pack_call([b"k"], [60])], TAKE))
        except StorageUnavailableError:
            return False

    assert takes()
    with proxy.outage():
        assert not any(takes() for _ in range(FAILURES_TO_OPEN + 1))
    private_server.client.script_flush()
    eventually(takes, seconds=10)
    cache.close()
    proxy.close()
