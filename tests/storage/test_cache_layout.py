"""A cache whose keys have the layout of another version is refused, and replaced by init alone."""

from collections.abc import Iterator

import pytest
import redis

from storage.cache_layout import has_other_layout, replace_layout
from storage.errors import LayoutInUseError, StorageUnavailableError
from storage.redis.generation import CLIENT_NAME, KEY, LAYOUT, Generation
from storage.redis.server import Server
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer


@pytest.fixture
def cache(private_server: PrivateServer) -> Iterator[Server]:
    server = Server("cache", private_server.url, check=Generation().check)
    yield server
    server.close()


def write_layout(private_server: PrivateServer, word: str) -> None:
    """Leave the data of a version of this layout, written by this run of the server."""
    run_id = private_server.client.info("server")["run_id"]
    private_server.client.set(KEY, f"{run_id} 77{word}")
    private_server.client.set("old", "data")


def layout_of(private_server: PrivateServer) -> str:
    value = private_server.client.get(KEY)
    assert isinstance(value, bytes)
    return value.decode().split(" ")[2]


@pytest.mark.parametrize("word", ["", " 1", " 3"], ids=["no third word", "1", "3"])
def test_a_cache_of_another_layout_is_refused_and_stays_as_it_is(
    cache: Server, private_server: PrivateServer, word: str
) -> None:
    write_layout(private_server, word)
    for _ in range(3):
        with pytest.raises(StorageUnavailableError, match="python -m api init"), cache.guard():
            cache.client.get("old")
    assert has_other_layout(cache)
    assert private_server.client.get("old") == b"data"


def test_a_new_cache_gets_the_layout_and_every_connection_a_name(
    cache: Server, private_server: PrivateServer
) -> None:
    assert not has_other_layout(cache)
    cache.execute([b"*1\r\n$4\r\nPING\r\n"])
    assert layout_of(private_server) == str(LAYOUT)
    names = [client["name"] for client in private_server.client.client_list()]
    assert names.count(CLIENT_NAME) == 2


def test_data_of_an_earlier_run_of_another_layout_is_emptied(
    cache: Server, private_server: PrivateServer
) -> None:
    private_server.client.set(KEY, "abc 77")
    private_server.client.set("old", "data")
    with cache.guard():
        assert cache.client.get("old") is None
    assert layout_of(private_server) == str(LAYOUT)


def test_a_cache_of_another_layout_is_replaced_when_none_of_its_processes_is_connected(
    cache: Server, private_server: PrivateServer
) -> None:
    write_layout(private_server, "")
    old = redis.Redis.from_url(private_server.url)
    old.rpushx("tl:1", "5")
    clients = private_server.client.client_list()
    [old_address] = [client["addr"] for client in clients if client["cmd"] == "rpushx"]
    with pytest.raises(LayoutInUseError) as raised:
        replace_layout(cache)
    assert raised.value.addresses == [old_address]
    assert private_server.client.get("old") == b"data"
    private_server.client.ping()  # its last command was on a key

    old.close()
    eventually(lambda: "rpushx" not in last_commands(private_server))
    assert replace_layout(cache)
    assert not has_other_layout(cache)
    assert private_server.client.get("old") is None
    assert layout_of(private_server) == str(LAYOUT)


def test_exporters_and_users_of_other_databases_do_not_prevent_the_replacement(
    cache: Server, private_server: PrivateServer
) -> None:
    write_layout(private_server, "")
    exporter = redis.Redis.from_url(private_server.url)
    exporter.info()
    neighbour = redis.Redis.from_url(private_server.url.replace("/0", "/5"))
    neighbour.set("x", 1)
    private_server.client.ping()
    assert replace_layout(cache)
    assert neighbour.get("x") == b"1"
    exporter.close()
    neighbour.close()


def last_commands(private_server: PrivateServer) -> list[str]:
    return [client["cmd"] for client in private_server.client.client_list()]
