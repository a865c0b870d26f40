"""Bodies: reserved, then filled; a fill without its reservation is refused."""

from collections.abc import Callable, Iterator

import pytest

from storage import Storage
from storage.bodies import BODY_TTL_SECONDS, JITTER, body_key
from storage.body_format import encode

BODY = b'{"id":"1"}'


@pytest.fixture
def post_id(storage: Storage, user: int) -> Iterator[int]:
    """The id of a post that no other test uses: a new user's id serves."""
    yield user
    storage.bodies.discard([user])


def test_a_body_is_reserved_filled_and_read(storage: Storage, post_id: int) -> None:
    token = storage.bodies.reserve_many([post_id]).get(post_id)
    assert token
    assert storage.bodies.read_many([post_id]) == {post_id: None}  # a reservation reads as missing
    assert post_id not in storage.bodies.reserve_many([post_id])  # and stays reserved

    assert storage.bodies.fill_many({post_id: BODY}, {post_id: token})

    assert storage.bodies.read_many([post_id]) == {post_id: BODY}
    assert post_id not in storage.bodies.reserve_many([post_id])
    ttl = storage.cache.client.ttl(body_key(post_id))
    assert BODY_TTL_SECONDS - 60 < ttl <= BODY_TTL_SECONDS * (1 + JITTER)


def test_missing_bodies_are_reserved_and_those_still_reserved_are_filled(
    storage: Storage, new_users: Callable[[int], list[int]]
) -> None:
    missing, deleted_later, reserved = new_users(3)
    assert storage.bodies.reserve_many([reserved]).get(reserved)
    tokens = storage.bodies.reserve_many([missing, deleted_later, reserved])
    assert set(tokens) == {missing, deleted_later}
    storage.bodies.tombstone([deleted_later])

    bodies = {missing: BODY, deleted_later: BODY}
    assert storage.bodies.fill_many(bodies, tokens) == {missing}

    cached = storage.bodies.read_many([missing, deleted_later, reserved])
    assert cached == {missing: BODY, deleted_later: b"", reserved: None}
    ttl = storage.cache.client.ttl(body_key(missing))
    assert BODY_TTL_SECONDS - 60 < ttl <= BODY_TTL_SECONDS * (1 + JITTER)
    storage.bodies.discard([missing, deleted_later, reserved])


def test_a_reservation_expires_soon(storage: Storage, post_id: int) -> None:
    storage.bodies.reserve_many([post_id])

    assert 0 < storage.cache.client.pttl(body_key(post_id)) <= 5_000


def test_a_slow_fill_is_refused_after_the_post_was_deleted(storage: Storage, post_id: int) -> None:
    token = storage.bodies.reserve_many([post_id]).get(post_id)
    assert token
    storage.bodies.tombstone([post_id])

    assert not storage.bodies.fill_many({post_id: BODY}, {post_id: token})
    assert storage.bodies.read_many([post_id]) == {post_id: b""}


def test_a_slow_fill_is_refused_after_the_tombstone_was_evicted_too(
    storage: Storage, post_id: int
) -> None:
    """SET NX alone would revive the deleted post here."""
    token = storage.bodies.reserve_many([post_id]).get(post_id)
    assert token
    storage.bodies.tombstone([post_id])
    storage.cache.client.delete(body_key(post_id))

    assert not storage.bodies.fill_many({post_id: BODY}, {post_id: token})
    assert storage.bodies.read_many([post_id]) == {post_id: None}


def test_a_slow_fill_is_refused_if_another_reader_has_reserved_since(
    storage: Storage, post_id: int
) -> None:
    slow_token = storage.bodies.reserve_many([post_id]).get(post_id)
    storage.cache.client.delete(body_key(post_id))
    quick_token = storage.bodies.reserve_many([post_id]).get(post_id)
    assert slow_token
    assert quick_token

    assert not storage.bodies.fill_many({post_id: b"old"}, {post_id: slow_token})
    assert storage.bodies.fill_many({post_id: BODY}, {post_id: quick_token})
    assert storage.bodies.read_many([post_id]) == {post_id: BODY}


def test_a_tombstone_replaces_a_body_and_a_discard_deletes_body_and_reservation(
    storage: Storage, post_id: int
) -> None:
    token = storage.bodies.reserve_many([post_id]).get(post_id)
    assert token
    storage.bodies.fill_many({post_id: BODY}, {post_id: token})
    storage.bodies.tombstone([post_id])
    assert storage.bodies.read_many([post_id]) == {post_id: b""}

    storage.bodies.discard([post_id])
    new_token = storage.bodies.reserve_many([post_id]).get(post_id)
    assert new_token
    storage.bodies.discard([post_id])
    assert not storage.bodies.fill_many({post_id: BODY}, {post_id: new_token})


def test_bodies_of_many_posts_are_read_in_batches(storage: Storage, user: int) -> None:
    posts = list(range(user, user + 1_201))
    for post in (posts[0], posts[-1]):
        token = storage.bodies.reserve_many([post]).get(post)
        assert token
        storage.bodies.fill_many({post: b"%d" % post}, {post: token})

    bodies = storage.bodies.read_many(posts)

    assert list(bodies) == posts
    assert {p: b for p, b in bodies.items() if b} == {p: b"%d" % p for p in (posts[0], posts[-1])}
    storage.bodies.discard(posts)
    assert not any(storage.bodies.read_many(posts).values())
    assert storage.bodies.read_many([]) == {}


def test_filled_bodies_are_compressed_in_the_cache(
    storage: Storage, new_users: Callable[[int], list[int]]
) -> None:
    existing, new, author = new_users(3)
    body = b'{"caption":"%s"}' % (b"as long as a usual body " * 30)
    reservation = storage.bodies.reserve_new(new, author)
    assert reservation
    assert storage.bodies.fill_new(reservation, body)
    tokens = storage.bodies.reserve_many([existing])
    assert storage.bodies.fill_many({existing: body}, tokens) == {existing}

    assert storage.cache.client.mget(map(body_key, [existing, new])) == [encode(body)] * 2
    assert len(encode(body)) < len(body) / 4
    assert storage.bodies.read_many([existing, new]) == {existing: body, new: body}
    storage.bodies.discard([existing, new])
    storage.bodies.discard_expected(author)


def test_the_tombstone_of_an_absent_post_is_filled_as_it_is(storage: Storage, post_id: int) -> None:
    tokens = storage.bodies.reserve_many([post_id])
    assert storage.bodies.fill_many({post_id: b""}, tokens)

    assert storage.cache.client.get(body_key(post_id)) == b""
    assert storage.bodies.read_many([post_id]) == {post_id: b""}


def test_a_plain_body_of_an_earlier_version_is_read(storage: Storage, post_id: int) -> None:
    storage.cache.client.set(body_key(post_id), BODY, ex=60)

    assert storage.bodies.read_many([post_id]) == {post_id: BODY}


@pytest.mark.parametrize("value", [b"\x01damaged", b"\x1fnewer", encode(BODY)[:-1]])
def test_a_value_that_cannot_be_decoded_is_missing_and_is_written_anew(
    storage: Storage, post_id: int, value: bytes
) -> None:
    storage.cache.client.set(body_key(post_id), value, ex=60)

    assert storage.bodies.read_many([post_id]) == {post_id: None}

    tokens = storage.bodies.reserve_many([post_id])
    assert storage.bodies.fill_many({post_id: BODY}, tokens) == {post_id}
    assert storage.bodies.read_many([post_id]) == {post_id: BODY}
