"""What a push does when time passes, when a server stands still, when a reply is an error."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
import redis

from graph import ids
from graph.ids import EPOCH_MS
from storage import Storage, StorageUnavailableError
from storage.pushing import MAX_AGE_SECONDS, Push
from storage.redis.protocol import Wire, pack
from storage.redis.server import Server
from storage.timeline_layout import timeline_key
from storage.timelines import Timelines
from tests.support.eventually import eventually
from tests.support.ids import id_ago
from tests.support.private_server import PrivateServer

NewUsers = Callable[[int], list[int]]


@pytest.fixture
def users(storage: Storage, new_users: NewUsers) -> list[int]:
    """Two thousand users, all with an empty timeline."""
    drawn = new_users(2_000)
    with storage.cache.client.pipeline(transaction=False) as pipeline:
        for user in drawn:
            pipeline.rpush(timeline_key(user), 0)
        pipeline.execute()
    return drawn


def pushed(storage: Storage, users: Sequence[int], post_id: int) -> int:
    """How many of the users have the post, if those are the first ones; else nobody knows."""
    having = [post_id in storage.timelines.whole(user) for user in users]
    assert having == sorted(having, reverse=True)
    return sum(having)


def test_the_moment_of_a_post_is_read_from_its_id() -> None:
    assert EPOCH_MS == ids.EPOCH_MS
    now_ms = int(time.time() * 1_000)
    assert (ids.new_id(now_ms) >> 12) + EPOCH_MS == now_ms


def test_followers_read_too_long_ago_are_not_pushed_to(storage: Storage, users: list[int]) -> None:
    for post_id in (id_ago(0), id_ago(100)):
        read_at = time.monotonic() - MAX_AGE_SECONDS - 0.01
        assert storage.timelines.push(users, post_id, read_at=read_at) == 0
        assert pushed(storage, users, post_id) == 0


@pytest.mark.parametrize("age", [0, 100])
def test_a_push_stops_before_the_buffer_for_which_it_is_too_late(
    storage: Storage, users: list[int], monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    """The process stands still after the second buffer; what was sent till then is answered."""
    post_id, sent = id_ago(age), []
    read_at = time.monotonic()
    send, now = Wire.send, time.monotonic

    def send_and_stall(wire: Wire, buffer: bytes, commands: int) -> None:
        send(wire, buffer, commands)
        sent.append(commands)
        if len(sent) == 2:
            monkeypatch.setattr("storage.pushing.time.monotonic", lambda: now() + 6)

    monkeypatch.setattr(Wire, "send", send_and_stall)
    answered = storage.timelines.push(users, post_id, read_at=read_at)
    monkeypatch.undo()

    assert len(sent) == 2
    assert 0 < answered < len(users)
    assert pushed(storage, users, post_id) == answered


def test_a_push_whose_connection_was_closed_is_not_sent_over_another(
    storage: Storage, users: list[int]
) -> None:
    """The cache closes what is silent for 10 s: so a push that slept never lands."""
    post_id = id_ago(0)
    cache = storage.cache
    with pytest.raises(StorageUnavailableError), cache.wire() as wire:  # noqa: PT012
        [client_id] = wire.ask([pack(b"CLIENT", b"ID")])
        cache.client.client_kill_filter(_id=client_id)
        push = Push(wire=wire, post_id=post_id, ordered_script=b"", cap=400, longest=500)
        push.run(users, read_at=time.monotonic())

    assert pushed(storage, users, post_id) == 0
    assert storage.timelines.push(users, post_id, read_at=time.monotonic()) == len(users)


def test_an_error_in_mid_buffer_is_told_and_no_reply_is_left_for_the_next_caller(
    storage: Storage, users: list[int]
) -> None:
    post_id = id_ago(0)
    key = timeline_key(users[700])
    storage.cache.client.delete(key)
    storage.cache.client.set(key, "not a list", ex=60)

    with pytest.raises(StorageUnavailableError) as raised:
        storage.timelines.push(users, post_id, read_at=time.monotonic())

    assert raised.value.part == "cache"
    assert raised.value.answered == 500  # the whole buffers before it
    assert post_id in storage.timelines.whole(users[499])
    for user in users[:3]:
        assert storage.timelines.whole(user) == [0, post_id]


def test_a_server_that_stands_still_holds_nobody_long_and_mixes_no_replies(
    private_server: PrivateServer,
) -> None:
    cache = Server("cache", private_server.url)
    timelines = Timelines(cache, cap=400, slack=100)
    users = list(range(5, 2_005))
    for user in users[:2]:
        private_server.client.rpush(timeline_key(user), 0, user)
    assert timelines.push(users, 77, read_at=time.monotonic()) == len(users)
    private_server.stop()

    begun = time.monotonic()
    with pytest.raises(StorageUnavailableError) as raised:
        timelines.push(users, 78, read_at=time.monotonic())
    assert raised.value.answered == 0
    for _ in range(10):
        with pytest.raises(StorageUnavailableError):
            timelines.window(5, 20)
    assert time.monotonic() - begun < 4.5  # five time-outs, then refused at once
    begun = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        timelines.window(5, 20)
    assert time.monotonic() - begun < 0.3

    private_server.go_on()
    eventually(lambda: _answers(timelines))
    assert [entry for entry, _ in timelines.window(6, 20).entries if entry not in (77, 78)] == [
        6,
        0,
    ]
    cache.close()


def test_connections_that_the_server_closed_are_opened_again_unnoticed(
    private_server: PrivateServer,
) -> None:
    private_server.client.config_set("timeout", 1)
    cache = Server("cache", private_server.url)
    timelines = Timelines(cache, cap=400, slack=100)
    timelines.window(5, 20)
    timelines.drop(5)
    assert len(private_server.others()) == 2
    eventually(lambda: not private_server.others())

    assert timelines.window(5, 20).entries == []
    timelines.drop(5)
    cache.close()


@pytest.mark.parametrize("fails", [False, True])
def test_a_connection_with_unread_replies_is_closed(
    private_server: PrivateServer, fails: bool
) -> None:
    """Whoever got it next would read another's page."""
    cache = Server("cache", private_server.url)
    with suppress(KeyError), cache.wire() as wire:
        wire.send(pack(b"PING"), 1)
        if fails:
            raise KeyError
    eventually(lambda: not private_server.others())

    with cache.wire() as wire:
        assert wire.ask([pack(b"ECHO", b"mine")]) == [b"mine"]
    assert len(private_server.others()) == 1  # read to the end, it is kept
    cache.close()


def test_a_server_that_is_away_is_told_at_once(private_server: PrivateServer) -> None:
    cache = Server("cache", private_server.url)
    timelines = Timelines(cache, cap=400, slack=100)
    private_server.process.terminate()
    private_server.process.wait()

    begun = time.monotonic()
    for call in (
        lambda: timelines.push([5], id_ago(0), read_at=time.monotonic()),
        lambda: timelines.drop(5),
        lambda: timelines.begin(5),
        lambda: timelines.window(5, 20),
        lambda: timelines.whole(5),
        cache.ping,
    ):
        with pytest.raises(StorageUnavailableError) as raised:
            call()
        assert raised.value.part == "cache"
    assert time.monotonic() - begun < 2


def test_where_sorting_with_bodies_is_refused_a_window_reads_the_same(
    private_cluster: PrivateServer,
) -> None:
    cache = Server("cache", private_cluster.url)
    timelines = Timelines(cache, cap=400, slack=100)
    entries = [0, *range(100, 140)]
    eventually(lambda: _can_write(private_cluster))
    private_cluster.client.rpush(timeline_key(5), *entries)
    private_cluster.client.set("p:139", "body")
    private_cluster.client.set("p:138", "")
    private_cluster.client.set("p:137", "~claimed")

    with pytest.raises(redis.ResponseError, match="denied in Cluster mode"):
        private_cluster.client.sort("tl:x", get=["p:*"])
    window = timelines.window(5, 20)

    assert [entry for entry, _ in window.entries] == entries[::-1][:24]
    assert [body for _, body in window.entries[:4]] == [b"body", b"", None, None]
    assert timelines.window(6, 20).entries == []
    assert private_cluster.client.ttl(timeline_key(5)) > 0
    cache.close()


def _answers(timelines: Timelines) -> bool:
    try:
        return timelines.whole(5)[:2] == [0, 5]
    except StorageUnavailableError:
        return False


def _can_write(server: PrivateServer) -> bool:
    return b"cluster_state:ok" in server.command("CLUSTER", "INFO")
