"""Limits: quotas, windows, and a cache that is down."""

from collections.abc import Iterator

import pytest

from observing.metrics import FAIL_OPEN_TOTAL
from storage import Storage
from storage.limits import Charge, Limits, Policy, limit_key
from storage.redis.server import Server
from tests.support.concurrency import errors, run_together
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


PHOTOS = Policy(name="tests-photos", quota=10, window_seconds=60)
BYTES = Policy(name="tests-bytes", quota=5_000_000_000, window_seconds=60)


def charges(size: int, photos: int = 1) -> list[Charge]:
    return [Charge(policy=PHOTOS, amount=photos), Charge(policy=BYTES, amount=size)]


def used(storage: Storage, user: int) -> list[int]:
    keys = [limit_key(policy, user) for policy in (PHOTOS, BYTES)]
    return [int(value or 0) for value in storage.cache.client.mget(keys)]


def test_amounts_are_counted_under_all_policies_or_under_none(storage: Storage, user: int) -> None:
    first = storage.limits.charge(charges(4_000_000_000), user)
    assert [(use.allowed, use.remaining) for use in first] == [(True, 9), (True, 1_000_000_000)]
    refused = storage.limits.charge(charges(1_000_000_001), user)
    assert [use.allowed for use in refused] == [True, False]
    assert 58 <= refused[1].reset_seconds <= 60
    assert used(storage, user) == [1, 4_000_000_000]
    assert all(use.allowed for use in storage.limits.charge(charges(1_000_000_000), user))
    assert [use.allowed for use in storage.limits.charge(charges(0, 9), user)] == [False, True]
    assert all(
        0 < storage.cache.client.ttl(limit_key(policy, user)) <= 60 for policy in (PHOTOS, BYTES)
    )


def test_of_many_charges_at_once_as_many_are_allowed_as_the_quota_has(
    storage: Storage, user: int
) -> None:
    calls = [lambda: storage.limits.charge(charges(1), user)] * 16
    outcomes = run_together(*calls)
    assert not errors(outcomes)
    allowed = [
        all(use.allowed for use in outcome)
        for outcome in outcomes
        if not isinstance(outcome, Exception)
    ]
    assert allowed.count(True) == 10
    assert used(storage, user) == [10, 10]


def test_a_refund_takes_back_the_amounts_and_never_more(storage: Storage, user: int) -> None:
    storage.limits.charge(charges(7, 2), user)
    storage.limits.refund(charges(5), user)
    assert used(storage, user) == [1, 2]
    storage.limits.refund(charges(5), user)
    storage.limits.refund(charges(5), user)
    assert used(storage, user) == [0, 0]
    assert storage.cache.client.ttl(limit_key(BYTES, user)) > 0


def test_without_the_cache_charges_are_allowed(private_server: PrivateServer) -> None:
    private_server.process.terminate()
    private_server.process.wait()
    limits = Limits(Server("cache", private_server.url))
    assert [use.allowed for use in limits.charge(charges(10**12, 99), 1)] == [True, True]
    limits.refund(charges(1), 1)
