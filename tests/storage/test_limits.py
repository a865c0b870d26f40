"""Limits: quotas, windows, and a cache that is down."""

from collections.abc import Iterator

import pytest

from observing.metrics import FAIL_OPEN_TOTAL
from storage import Storage
from storage.limits import Limits, Policy, limit_key
from storage.redis.server import Server
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer

POLICY = Policy(name="tests", quota=3, window_seconds=60)


@pytest.fixture
def subject(storage: Storage, user: int) -> Iterator[str]:
    yield str(user)
    storage.cache.client.delete(limit_key(POLICY, str(user)))


def test_a_limit_allows_its_quota_and_no_more(storage: Storage, subject: str) -> None:
    uses = [storage.limits.take(POLICY, subject) for _ in range(5)]

    assert [use.allowed for use in uses] == [True, True, True, False, False]
    assert [use.remaining for use in uses] == [2, 1, 0, 0, 0]
    assert all(58 <= use.reset_seconds <= 60 for use in uses)


def test_refused_uses_do_not_extend_the_window(storage: Storage, subject: str) -> None:
    brief = Policy(name="tests", quota=1, window_seconds=1)
    assert storage.limits.take(brief, subject).allowed
    assert not storage.limits.take(brief, subject).allowed

    eventually(lambda: storage.limits.take(brief, subject).allowed, seconds=3)


def test_subjects_and_policies_are_counted_apart(storage: Storage, subject: str) -> None:
    once = Policy(name="tests", quota=1, window_seconds=60)
    other = Policy(name="tests-other", quota=1, window_seconds=60)
    assert storage.limits.take(once, subject).allowed

    assert storage.limits.take(other, subject).allowed
    assert storage.limits.take(once, f"{subject}x").allowed
    storage.cache.client.delete(limit_key(other, subject), limit_key(once, f"{subject}x"))


def test_a_count_that_lost_its_expiry_gets_one(storage: Storage, subject: str) -> None:
    storage.cache.client.set(limit_key(POLICY, subject), 7)

    assert not storage.limits.take(POLICY, subject).allowed
    assert storage.cache.client.ttl(limit_key(POLICY, subject)) > 0


def test_a_cache_that_is_down_allows_every_use_and_is_counted(
    private_server: PrivateServer,
) -> None:
    private_server.process.terminate()
    private_server.process.wait()
    before = FAIL_OPEN_TOTAL.labels(what="limit")._value.get()

    use = Limits(Server("cache", private_server.url)).take(POLICY, "somebody")

    assert use.allowed
    assert FAIL_OPEN_TOTAL.labels(what="limit")._value.get() == before + 1
