"""Pushes that are late, that stop in the middle, and that meet an error."""

import time
from collections.abc import Callable, Sequence

import pytest

from graph import ids
from storage import Storage, StorageUnavailableError
from storage.pushing import MAX_AGE_SECONDS, Push
from storage.redis.protocol import PipelinedConnection, pack
from storage.timeline_layout import timeline_key
from tests.support.ids import id_ago

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


def count_pushed(storage: Storage, users: Sequence[int], post_id: int) -> int:
    """How many of the users have the post. They must be the first ones."""
    has_post = [post_id in storage.timelines.entries(user) for user in users]
    assert has_post == sorted(has_post, reverse=True)
    return sum(has_post)


def test_the_age_of_a_post_is_read_from_its_id() -> None:
    now_ms = int(time.time() * 1_000)
    assert ids.ms_of(ids.new_id(now_ms)) == now_ms
    assert (ids.new_id(now_ms) >> ids.RANDOM_BITS) + ids.EPOCH_MS == now_ms


def test_followers_read_too_long_ago_are_not_pushed_to(storage: Storage, users: list[int]) -> None:
    for post_id in (id_ago(0), id_ago(100)):
        read_at = time.monotonic() - MAX_AGE_SECONDS - 0.01
        assert storage.timelines.push(users, post_id, read_at=read_at) == 0
        assert count_pushed(storage, users, post_id) == 0


@pytest.mark.parametrize("age", [0, 100])
def test_a_push_stops_before_a_buffer_that_would_be_sent_too_late(
    storage: Storage, users: list[int], monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    """The process pauses after the second buffer; the buffers sent before it are answered."""
    post_id, sent = id_ago(age), []
    read_at = time.monotonic()
    send, now = PipelinedConnection.send, time.monotonic

    def send_and_pause(connection: PipelinedConnection, buffer: bytes, commands: int) -> None:
        send(connection, buffer, commands)
        sent.append(commands)
        if len(sent) == 2:
            monkeypatch.setattr("storage.pushing.time.monotonic", lambda: now() + 6)

    monkeypatch.setattr(PipelinedConnection, "send", send_and_pause)
    answered = storage.timelines.push(users, post_id, read_at=read_at)
    monkeypatch.undo()

    assert len(sent) == 2
    assert 0 < answered < len(users)
    assert count_pushed(storage, users, post_id) == answered


def test_a_push_whose_connection_was_closed_does_not_use_another_one(
    storage: Storage, users: list[int]
) -> None:
    """The cache closes a connection after 10 s of silence, so a push that paused never arrives."""
    post_id = id_ago(0)
    cache = storage.cache
    with pytest.raises(StorageUnavailableError), cache.connection() as connection:  # noqa: PT012
        [client_id] = connection.execute([pack(b"CLIENT", b"ID")])
        cache.client.client_kill_filter(_id=client_id)
        push = Push(connection=connection, cap=400, longest=500)
        push.run([(post_id, users)], read_at=time.monotonic())

    assert count_pushed(storage, users, post_id) == 0
    assert storage.timelines.push(users, post_id, read_at=time.monotonic()) == len(users)


def test_an_error_amid_a_buffer_is_raised_and_leaves_no_reply_for_the_next_caller(
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
    assert post_id in storage.timelines.entries(users[499])
    for user in users[:3]:
        assert storage.timelines.entries(user) == [0, post_id]
