"""Timelines on a server that is paused, down, or closes connections."""

import time

import pytest

from storage import StorageUnavailableError
from storage.redis.server import Server
from storage.timeline_layout import timeline_key
from storage.timelines import Timelines
from tests.support.eventually import eventually
from tests.support.ids import id_ago
from tests.support.private_server import PrivateServer


def test_a_paused_server_delays_no_caller_for_long_and_mixes_no_replies(
    private_server: PrivateServer,
) -> None:
    cache = Server("cache", private_server.url)
    timelines = Timelines(cache, cap=400, slack=100)
    users = list(range(5, 2_005))
    for user in users[:2]:
        private_server.client.rpush(timeline_key(user), 0, user)
    assert timelines.push(users, 77, read_at=time.monotonic()) == len(users)
    private_server.pause()

    start = time.monotonic()
    with pytest.raises(StorageUnavailableError) as raised:
        timelines.push(users, 78, read_at=time.monotonic())
    assert raised.value.answered == 0
    for _ in range(10):
        with pytest.raises(StorageUnavailableError):
            timelines.window(5, 20)
    assert time.monotonic() - start < 4.5  # five time-outs, then the circuit is open
    start = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        timelines.window(5, 20)
    assert time.monotonic() - start < 0.3

    private_server.resume()
    eventually(lambda: _answers(timelines))
    assert [entry for entry in timelines.window(6, 20).ids if entry not in (77, 78)] == [6, 0]
    cache.close()


def test_connections_that_the_server_closed_are_replaced_without_an_error(
    private_server: PrivateServer,
) -> None:
    private_server.client.config_set("timeout", 1)
    cache = Server("cache", private_server.url)
    timelines = Timelines(cache, cap=400, slack=100)
    timelines.window(5, 20)
    timelines.drop(5)
    assert len(private_server.other_connections()) == 2
    eventually(lambda: not private_server.other_connections())

    assert timelines.window(5, 20).ids == []
    timelines.drop(5)
    cache.close()


def test_calls_of_a_server_that_is_down_fail_at_once(private_server: PrivateServer) -> None:
    cache = Server("cache", private_server.url)
    timelines = Timelines(cache, cap=400, slack=100)
    private_server.process.terminate()
    private_server.process.wait()

    start = time.monotonic()
    for call in (
        lambda: timelines.push([5], id_ago(0), read_at=time.monotonic()),
        lambda: timelines.drop(5),
        lambda: timelines.begin(5),
        lambda: timelines.window(5, 20),
        lambda: timelines.entries(5),
        cache.ping,
    ):
        with pytest.raises(StorageUnavailableError) as raised:
            call()
        assert raised.value.part == "cache"
    assert time.monotonic() - start < 2


def _answers(timelines: Timelines) -> bool:
    try:
        return timelines.entries(5)[:2] == [0, 5]
    except StorageUnavailableError:
        return False
