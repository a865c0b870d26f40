"""Session copies: reserved, then filled; a fill without its reservation is refused."""

import time
from collections.abc import Iterator

import pytest

from storage import Storage
from storage.sessions import SessionCopy, copy_key

OWNER = 2**53 - 1
"""The user of every session here."""


@pytest.fixture
def session_id(storage: Storage, user: int) -> Iterator[int]:
    yield user
    storage.sessions.drop(OWNER, [user])


def make_copy(expires_in: int = 3_600) -> SessionCopy:
    expires_at = int(time.time()) + expires_in
    return SessionCopy(user_id=OWNER, secret_sha256="ab" * 32, expires_at=expires_at)


def test_a_session_copy_is_reserved_filled_read_and_dropped(
    storage: Storage, session_id: int
) -> None:
    assert storage.sessions.read(OWNER, session_id) is None
    token = storage.sessions.reserve(OWNER, session_id)
    assert token
    assert storage.sessions.read(OWNER, session_id) is None
    copy = make_copy()
    assert storage.sessions.fill(session_id, token, copy)

    assert storage.sessions.read(OWNER, session_id) == copy
    assert 0 < storage.cache.client.ttl(copy_key(OWNER, session_id)) <= 3_600

    storage.sessions.drop(OWNER, [session_id])
    assert storage.sessions.read(OWNER, session_id) is None


def test_a_slow_fill_of_a_revoked_session_is_refused(storage: Storage, session_id: int) -> None:
    token = storage.sessions.reserve(OWNER, session_id)
    assert token
    storage.sessions.drop(OWNER, [session_id])

    assert not storage.sessions.fill(session_id, token, make_copy())
    assert storage.sessions.read(OWNER, session_id) is None


def test_a_copy_never_outlives_its_session(storage: Storage, session_id: int) -> None:
    token = storage.sessions.reserve(OWNER, session_id)
    assert token

    assert not storage.sessions.fill(session_id, token, make_copy(expires_in=0))
    long_copy = make_copy(expires_in=10**7)
    assert storage.sessions.fill(session_id, token, long_copy)
    assert storage.cache.client.ttl(copy_key(OWNER, session_id)) <= 86_400


def test_a_value_that_is_no_session_copy_reads_as_missing(
    storage: Storage, session_id: int
) -> None:
    for value in ("", "1 ab", "x ab 5", b"\xff"):
        storage.cache.client.set(copy_key(OWNER, session_id), value, ex=60)
        assert storage.sessions.read(OWNER, session_id) is None
