"""Copies of posts and sessions: a mark, then the graph is read, then a write if the mark stands."""

import time
from collections.abc import Callable, Iterator

import pytest

from storage import Storage
from storage.bodies import BODY_TTL_SECONDS, JITTER, body_key
from storage.sessions import SessionCopy

BODY = b'{"id":"1"}'


@pytest.fixture
def post_id(storage: Storage, user: int) -> Iterator[int]:
    """A post of nobody: a user's id serves, as nobody else draws it."""
    yield user
    storage.bodies.discard([user])


@pytest.fixture
def session_id(storage: Storage, user: int) -> Iterator[int]:
    yield user
    storage.sessions.drop([user])


def a_copy(**facts: int) -> SessionCopy:
    expires_at = facts.get("expires_at", int(time.time()) + 3_600)
    return SessionCopy(user_id=2**53 - 1, secret_sha256="ab" * 32, expires_at=expires_at)


def test_a_body_is_claimed_filled_and_read(storage: Storage, post_id: int) -> None:
    token = storage.bodies.claim_many([post_id]).get(post_id)
    assert token
    assert storage.bodies.many([post_id]) == {post_id: None}  # a claim reads as missing
    assert post_id not in storage.bodies.claim_many([post_id])  # and keeps others from claiming

    assert storage.bodies.fill_many({post_id: BODY}, {post_id: token})

    assert storage.bodies.many([post_id]) == {post_id: BODY}
    assert post_id not in storage.bodies.claim_many([post_id])
    ttl = storage.cache.client.ttl(body_key(post_id))
    assert BODY_TTL_SECONDS - 60 < ttl <= BODY_TTL_SECONDS * (1 + JITTER)


def test_of_many_posts_those_free_are_claimed_and_those_still_claimed_are_filled(
    storage: Storage, new_users: Callable[[int], list[int]]
) -> None:
    free, deleted_later, taken = new_users(3)
    assert storage.bodies.claim_many([taken]).get(taken)
    tokens = storage.bodies.claim_many([free, deleted_later, taken])
    assert set(tokens) == {free, deleted_later}
    storage.bodies.tombstone([deleted_later])

    bodies = {free: BODY, deleted_later: BODY}
    assert storage.bodies.fill_many(bodies, tokens) == {free}

    cached = storage.bodies.many([free, deleted_later, taken])
    assert cached == {free: BODY, deleted_later: b"", taken: None}
    ttl = storage.cache.client.ttl(body_key(free))
    assert BODY_TTL_SECONDS - 60 < ttl <= BODY_TTL_SECONDS * (1 + JITTER)
    storage.bodies.discard([free, deleted_later, taken])


def test_a_claim_is_gone_soon_by_itself(storage: Storage, post_id: int) -> None:
    storage.bodies.claim_many([post_id])

    assert 0 < storage.cache.client.pttl(body_key(post_id)) <= 5_000


def test_a_slow_fill_is_refused_after_the_post_was_deleted(storage: Storage, post_id: int) -> None:
    token = storage.bodies.claim_many([post_id]).get(post_id)
    assert token
    storage.bodies.tombstone([post_id])

    assert not storage.bodies.fill_many({post_id: BODY}, {post_id: token})
    assert storage.bodies.many([post_id]) == {post_id: b""}


def test_a_slow_fill_is_refused_after_the_tombstone_was_evicted_too(
    storage: Storage, post_id: int
) -> None:
    """SET NX alone would revive the deleted post here."""
    token = storage.bodies.claim_many([post_id]).get(post_id)
    assert token
    storage.bodies.tombstone([post_id])
    storage.cache.client.delete(body_key(post_id))

    assert not storage.bodies.fill_many({post_id: BODY}, {post_id: token})
    assert storage.bodies.many([post_id]) == {post_id: None}


def test_a_slow_fill_is_refused_where_another_claimed_in_between(
    storage: Storage, post_id: int
) -> None:
    slow = storage.bodies.claim_many([post_id]).get(post_id)
    storage.cache.client.delete(body_key(post_id))
    quick = storage.bodies.claim_many([post_id]).get(post_id)
    assert slow
    assert quick

    assert not storage.bodies.fill_many({post_id: b"old"}, {post_id: slow})
    assert storage.bodies.fill_many({post_id: BODY}, {post_id: quick})
    assert storage.bodies.many([post_id]) == {post_id: BODY}


def test_a_tombstone_goes_over_a_body_and_a_discard_takes_body_and_claim(
    storage: Storage, post_id: int
) -> None:
    token = storage.bodies.claim_many([post_id]).get(post_id)
    assert token
    storage.bodies.fill_many({post_id: BODY}, {post_id: token})
    storage.bodies.tombstone([post_id])
    assert storage.bodies.many([post_id]) == {post_id: b""}

    storage.bodies.discard([post_id])
    claimed = storage.bodies.claim_many([post_id]).get(post_id)
    assert claimed
    storage.bodies.discard([post_id])
    assert not storage.bodies.fill_many({post_id: BODY}, {post_id: claimed})


def test_bodies_of_many_posts_are_read_in_batches(storage: Storage, user: int) -> None:
    posts = list(range(user, user + 1_201))
    for post in (posts[0], posts[-1]):
        token = storage.bodies.claim_many([post]).get(post)
        assert token
        storage.bodies.fill_many({post: b"%d" % post}, {post: token})

    found = storage.bodies.many(posts)

    assert list(found) == posts
    assert {p: b for p, b in found.items() if b} == {p: b"%d" % p for p in (posts[0], posts[-1])}
    storage.bodies.discard(posts)
    assert not any(storage.bodies.many(posts).values())
    assert storage.bodies.many([]) == {}


def test_a_session_copy_is_claimed_filled_read_and_dropped(
    storage: Storage, session_id: int
) -> None:
    assert storage.sessions.read(session_id) is None
    token = storage.sessions.claim(session_id)
    assert token
    assert storage.sessions.read(session_id) is None
    copy = a_copy()
    assert storage.sessions.fill(session_id, token, copy)

    assert storage.sessions.read(session_id) == copy
    assert 0 < storage.cache.client.ttl(f"s:{session_id:014x}") <= 3_600

    storage.sessions.drop([session_id])
    assert storage.sessions.read(session_id) is None


def test_a_slow_fill_of_a_revoked_session_is_refused(storage: Storage, session_id: int) -> None:
    token = storage.sessions.claim(session_id)
    assert token
    storage.sessions.drop([session_id])

    assert not storage.sessions.fill(session_id, token, a_copy())
    assert storage.sessions.read(session_id) is None


def test_a_copy_never_outlives_its_session(storage: Storage, session_id: int) -> None:
    token = storage.sessions.claim(session_id)
    assert token

    assert not storage.sessions.fill(session_id, token, a_copy(expires_at=int(time.time())))
    long = a_copy(expires_at=int(time.time()) + 10**7)
    assert storage.sessions.fill(session_id, token, long)
    assert storage.cache.client.ttl(f"s:{session_id:014x}") <= 86_400


def test_what_is_no_session_copy_reads_as_missing(storage: Storage, session_id: int) -> None:
    for value in ("", "1 ab", "x ab 5", b"\xff"):
        storage.cache.client.set(f"s:{session_id:014x}", value, ex=60)
        assert storage.sessions.read(session_id) is None
