"""FirmLimits: counted before a secret is checked, in the cache or in the process."""

import secrets
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from storage import Storage, firm_limits
from storage.firm_limits import Bucket, FirmLimits, LocalCounts, bucket_key
from storage.limits import Charge, Policy
from storage.redis.server import Server
from tests.support.concurrency import errors, run_together
from tests.support.private_server import PrivateServer

NARROW = Policy(name="tests-narrow", quota=3, window_seconds=60)
WIDE = Policy(name="tests-wide", quota=5, window_seconds=60)


def buckets(narrow: str, wide: str) -> list[Bucket]:
    return [Bucket(policy=NARROW, subject=narrow), Bucket(policy=WIDE, subject=wide)]


def names(count: int) -> list[str]:
    return [secrets.token_hex(8) for _ in range(count)]


@pytest.fixture(params=["cache", "process"])
def counting(request: pytest.FixtureRequest, storage: Storage) -> FirmLimits:
    """FirmLimits counted in the cache, and by a process whose cache is away."""
    if request.param == "cache":
        return FirmLimits(storage.cache)
    return FirmLimits(Server("cache", "redis://127.0.0.1:1/0"))


def charge(counting: FirmLimits, given: Sequence[Bucket]) -> list[bool]:
    return [use.allowed for use in counting.charge(given, slot="here").uses]


def test_a_use_counts_in_all_buckets_or_in_none(counting: FirmLimits) -> None:
    one, other, wide = names(3)
    assert [all(charge(counting, buckets(one, wide))) for _ in range(4)] == [True] * 3 + [False]
    assert [all(charge(counting, buckets(other, wide))) for _ in range(3)] == [True, True, False]
    assert charge(counting, buckets(other, wide)) == [True, False]


def test_what_is_refunded_was_not_counted(counting: FirmLimits) -> None:
    one, wide = names(2)
    for _ in range(20):
        charged = counting.charge(buckets(one, wide), slot="here")
        assert charged.is_allowed
        assert [use.remaining for use in charged.uses] == [2, 4]
        counting.refund(charged)
    assert [all(charge(counting, buckets(one, wide))) for _ in range(4)] == [True] * 3 + [False]


def test_a_refused_use_says_when_to_come_again(counting: FirmLimits) -> None:
    one, wide = names(2)
    for _ in range(4):
        last = counting.charge(buckets(one, wide), slot="here")
    assert 55 <= last.uses[0].reset_seconds <= 60


def test_of_many_uses_at_once_as_many_are_allowed_as_the_quota_has(counting: FirmLimits) -> None:
    one, wide = names(2)
    outcomes = run_together(*[lambda: charge(counting, buckets(one, wide))] * 16)
    assert not errors(outcomes)
    assert [all(o) for o in outcomes if isinstance(o, list)].count(True) == 3


def test_the_process_says_once_that_it_counts_alone_and_once_that_it_does_not(
    private_server: PrivateServer, storage: Storage
) -> None:
    counting = FirmLimits(Server("cache", private_server.url))
    one, wide = names(2)
    with capture_logs() as lines:
        kept = counting.charge(buckets(one, wide), slot="here")
        private_server.process.terminate()
        private_server.process.wait()
        counting.refund(kept)
        for _ in range(5):
            charge(counting, buckets(one, wide))
        counting._cache = storage.cache  # it is back
        for _ in range(5):
            charge(counting, buckets(one, wide))
    assert [line["event"] for line in lines if "counted" in line["event"]] == [
        "limits counted by this process alone",
        "limits counted in the cache again",
    ]


def test_the_buckets_of_a_use_are_in_one_slot_and_hide_their_subjects() -> None:
    keys = [bucket_key(bucket, "192.0.2.0/24") for bucket in buckets("ana 192.0.2.7", "192.0.2.7")]
    assert len({key.partition("{")[2].partition("}")[0] for key in keys}) == 1
    assert len(set(keys)) == 2
    assert not any("192" in key or "ana" in key for key in keys)


def test_a_process_counts_within_a_bound_and_forgets_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(firm_limits, "MOST_LOCAL", 10)
    counts, charge = LocalCounts(), [Charge(policy=NARROW, amount=1)]
    for number in range(1_000):
        counts.charge([b"%d" % number], charge, 0.0)
        counts.charge([b"attacked"], charge, 0.0)
        assert len(counts) <= 11
    assert not counts.charge([b"attacked"], charge, 0.0)[0].allowed
    assert counts.charge([b"attacked"], charge, 60.0)[0].allowed, "the next window"
