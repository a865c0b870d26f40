"""Quotas of reads: exact in one process, and nearly so in several that settle once a second."""

import random
import secrets
import time
from collections.abc import Callable, Iterator

import pytest

from storage import Storage, StorageUnavailableError
from storage.admissions import UnverifiedSession
from storage.limits import SETTLE, LimitUse, Policy, limit_key
from storage.read_quotas import (
    LOOKS_PER_BEGIN,
    LOOKS_PER_SETTLEMENT,
    SETTLE_SECONDS,
    USERS_PER_BUFFER,
    ReadQuotas,
)
from storage.redis.server import Server
from storage.sessions import SessionCopy, copy_key
from tests.support.eventually import eventually

POLICY = Policy(name="tests", quota=40, window_seconds=60)
BRIEF = Policy(name="tests-brief", quota=2, window_seconds=3)
LET_THROUGH_SECONDS = 1.5
"""Two processes let through at most the quota and what arrives in any such time."""


@pytest.fixture
def viewer(storage: Storage, user: int) -> Iterator[int]:
    """A user without a count, before and after the test."""
    yield user
    for policy in (POLICY, BRIEF):
        storage.cache.client.delete(limit_key(policy, user))


def settle(cache: Server, quotas: ReadQuotas, now: float) -> int:
    """One settlement, as api/fast_feed/upkeep.py does it. Returns the number of users."""
    count = 0
    for user_ids, commands in quotas.settlements(now):
        quotas.apply(user_ids, cache.execute(commands, SETTLE), now)
        count += len(user_ids)
    return count


def settle_in_vain(quotas: ReadQuotas, now: float) -> None:
    """A settlement whose first buffer fails."""
    next(iter(quotas.settlements(now)), None)


def allowed(uses: list[LimitUse]) -> list[bool]:
    return [use.allowed for use in uses]


def test_one_process_allows_its_quota_and_no_more(storage: Storage, viewer: int) -> None:
    quotas = ReadQuotas(POLICY)
    uses: list[LimitUse] = []
    for second in range(5):
        uses += [quotas.take(viewer, second + n / 20) for n in range(10)]
        settle(storage.cache, quotas, second + 0.9)
    assert allowed(uses) == [True] * 40 + [False] * 10
    assert [use.remaining for use in uses] == [*reversed(range(40)), *[0] * 10]
    assert storage.cache.client.get(limit_key(POLICY, viewer)) == b"50"


def test_users_are_counted_apart(storage: Storage, new_users: Callable[[int], list[int]]) -> None:
    users = new_users(USERS_PER_BUFFER + 3)
    quotas = ReadQuotas(POLICY)
    for number, user in enumerate(users):
        for _ in range(number % 3 + 1):
            quotas.take(user, 0)
    assert settle(storage.cache, quotas, 1) == len(users)
    assert settle(storage.cache, quotas, 2) == 0, "nobody has read since"
    for number, user in enumerate(users):
        assert quotas.take(user, 3).remaining == POLICY.quota - number % 3 - 2
    storage.cache.client.delete(*(limit_key(POLICY, user) for user in users))


def test_a_window_begins_with_its_first_use_and_ends(viewer: int) -> None:
    quotas = ReadQuotas(POLICY)
    assert quotas.take(viewer, 1_000.0).reset_seconds == 60
    uses = [quotas.take(viewer, 1_059.9) for _ in range(POLICY.quota)]
    assert allowed(uses[-2:]) == [True, False]
    assert uses[-1].reset_seconds == 1
    fresh = quotas.take(viewer, 1_060.0)
    assert (fresh.allowed, fresh.remaining, fresh.reset_seconds) == (True, POLICY.quota - 1, 60)


def test_a_window_of_the_cache_ends_for_the_process_too(storage: Storage, viewer: int) -> None:
    quotas = ReadQuotas(BRIEF)
    assert allowed([quotas.take(viewer, time.monotonic()) for _ in range(3)])[-1] is False
    settle(storage.cache, quotas, time.monotonic())
    assert not quotas.take(viewer, time.monotonic()).allowed
    eventually(lambda: quotas.take(viewer, time.monotonic()).remaining == 1, seconds=20)
    eventually(lambda: not storage.cache.client.exists(limit_key(BRIEF, viewer)))


def test_reads_of_a_window_that_has_ended_do_not_count_in_the_next(
    storage: Storage, viewer: int
) -> None:
    storage.cache.client.set(limit_key(POLICY, viewer), 7, px=200)
    quotas = ReadQuotas(POLICY)
    quotas.take(viewer, 0)
    settle(storage.cache, quotas, 0)  # the window ends at 0.2
    quotas.take(viewer, 0.1)
    eventually(lambda: not storage.cache.client.exists(limit_key(POLICY, viewer)))
    assert settle(storage.cache, quotas, 1) == 0
    assert not storage.cache.client.exists(limit_key(POLICY, viewer)), "no window has begun"
    assert quotas.take(viewer, 1).remaining == POLICY.quota - 1


def test_two_processes_let_through_the_quota_and_little_more(
    storage: Storage, new_users: Callable[[int], list[int]]
) -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    above_quota = 0
    for user in new_users(150):
        arrivals = _random_arrivals(chance)
        let_through = _let_through(storage.cache, chance, user, arrivals)
        most = POLICY.quota + _most_within(arrivals, LET_THROUGH_SECONDS)
        assert min(len(arrivals), POLICY.quota) <= let_through <= most, arrivals
        above_quota += let_through > POLICY.quota
        storage.cache.client.delete(limit_key(POLICY, user))
    assert above_quota, "the schedules are too easy"


def _random_arrivals(chance: random.Random) -> list[tuple[float, int]]:
    """Times of reads with the process that gets each: steady, in bursts, evenly or unevenly."""
    share, rate = chance.choice([0.5, 0.5, 0.9, 0.1, 1.0]), chance.choice([5, 15, 40, 100])
    times = [chance.uniform(0, 12) for _ in range(12 * rate)]
    for _ in range(chance.randrange(4)):
        start = chance.uniform(0, 10)
        times += [start + chance.uniform(0, 0.3) for _ in range(chance.randrange(60))]
    return [(at, int(chance.random() > share)) for at in sorted(times)]


def _let_through(
    cache: Server, chance: random.Random, user: int, arrivals: list[tuple[float, int]]
) -> int:
    """The reads that two processes allow, each settling once a second."""
    processes = [ReadQuotas(POLICY), ReadQuotas(POLICY)]
    due = [chance.uniform(0, SETTLE_SECONDS) for _ in processes]
    count = 0
    for at, number in arrivals:
        while min(due) <= at:
            earlier = due.index(min(due))
            settle(cache, processes[earlier], due[earlier])
            due[earlier] += SETTLE_SECONDS
        count += processes[number].take(user, at).allowed
    return count


def _most_within(arrivals: list[tuple[float, int]], seconds: float) -> int:
    """The largest number of arrivals in any so many seconds."""
    times = [at for at, _ in arrivals]
    return max(sum(1 for other in times if at <= other <= at + seconds) for at in times)


def test_reads_by_the_loop_and_requests_to_flask_add_up(storage: Storage, viewer: int) -> None:
    admissions, quotas = storage.admissions(POLICY), ReadQuotas(POLICY)
    session = UnverifiedSession(viewer, secrets.randbelow(1 << 50), "5" * 64)
    copy = SessionCopy(
        user_id=viewer, secret_sha256=session.secret_sha256, expires_at=int(time.time()) + 60
    )
    storage.cache.client.set(copy_key(viewer, session.session_id), copy.to_bytes(), ex=60)
    assert admissions.admit(session).limit_use.remaining == POLICY.quota - 1
    for _ in range(3):
        quotas.take(viewer, 0)
    settle(storage.cache, quotas, 1)
    assert admissions.admit(session).limit_use.remaining == POLICY.quota - 5
    assert storage.limits.take(POLICY, viewer).remaining == POLICY.quota - 6
    quotas.take(viewer, 1)
    settle(storage.cache, quotas, 2)
    assert quotas.take(viewer, 2).remaining == POLICY.quota - 8
    storage.cache.client.delete(copy_key(viewer, session.session_id))


@pytest.mark.parametrize("ttl", [None, 30])
def test_a_settlement_keeps_the_window_and_gives_one_to_a_count_without(
    storage: Storage, viewer: int, ttl: int | None
) -> None:
    key = limit_key(POLICY, viewer)
    storage.cache.client.set(key, 7, ex=ttl)
    quotas = ReadQuotas(POLICY)
    quotas.take(viewer, 0)
    settle(storage.cache, quotas, 1)
    expected = ttl or POLICY.window_seconds
    assert expected - 5 < storage.cache.client.ttl(key) <= expected
    use = quotas.take(viewer, 1)
    assert use.remaining == POLICY.quota - 9
    assert expected - 5 < use.reset_seconds <= expected


def test_a_settlement_that_fails_forgets_no_read_of_the_process(
    storage: Storage, viewer: int
) -> None:
    quotas = ReadQuotas(POLICY)
    for second in range(4):
        for _ in range(9):
            assert quotas.take(viewer, second).allowed
        settle_in_vain(quotas, second + 0.5)
    assert allowed([quotas.take(viewer, 5) for _ in range(6)]) == [True] * 4 + [False] * 2
    settle(storage.cache, quotas, 6)  # the cache learns of what it has not been told yet
    assert storage.cache.client.get(limit_key(POLICY, viewer)) == b"6"


def test_users_behind_a_buffer_that_failed_are_settled_next_time(
    storage: Storage, new_users: Callable[[int], list[int]]
) -> None:
    users = new_users(USERS_PER_BUFFER + 5)
    quotas = ReadQuotas(POLICY)
    for user in users:
        quotas.take(user, 0)
    settle_in_vain(quotas, 1)
    assert settle(storage.cache, quotas, 2) == 5
    assert storage.cache.client.get(limit_key(POLICY, users[-1])) == b"1"
    storage.cache.client.delete(*(limit_key(POLICY, user) for user in users[-5:]))


def test_a_cache_that_is_down_refuses_no_read_below_the_quota(viewer: int) -> None:
    cache = Server("cache", "redis://127.0.0.1:1/0")
    quotas = ReadQuotas(POLICY)
    for second in range(POLICY.quota):
        assert quotas.take(viewer, second).allowed
        with pytest.raises(StorageUnavailableError):
            settle(cache, quotas, second + 0.5)


def test_reads_between_a_settlement_and_its_reply_are_counted(
    storage: Storage, viewer: int
) -> None:
    quotas = ReadQuotas(POLICY)
    quotas.take(viewer, 0)
    [(user_ids, commands)] = quotas.settlements(1)
    quotas.take(viewer, 1)
    quotas.apply(user_ids, storage.cache.execute(commands, SETTLE), 1)
    assert quotas.take(viewer, 1).remaining == POLICY.quota - 3
    settle(storage.cache, quotas, 2)
    assert storage.cache.client.get(limit_key(POLICY, viewer)) == b"3"


def test_a_window_that_began_while_a_settlement_was_under_way_takes_its_reply(
    storage: Storage, viewer: int
) -> None:
    """The cache's window is the one that counts; it may end later than the process thought."""
    quotas = ReadQuotas(POLICY)
    quotas.take(viewer, 0)
    [(user_ids, commands)] = quotas.settlements(59)
    assert quotas.take(viewer, 61).remaining == POLICY.quota - 1
    quotas.apply(user_ids, storage.cache.execute(commands, SETTLE), 61)
    assert quotas.take(viewer, 61).remaining == POLICY.quota - 3


@pytest.mark.parametrize("settles", [True, False], ids=["settled", "the cache is down"])
def test_ended_windows_are_forgotten(
    storage: Storage, new_users: Callable[[int], list[int]], settles: bool
) -> None:
    users = new_users(1_200)
    quotas = ReadQuotas(POLICY)
    keeper = users[0]
    for second in range(200):
        for user in users[6 * second : 6 * second + 6]:
            quotas.take(user, second)
        quotas.take(keeper, second)
        if settles:
            settle(storage.cache, quotas, second + 0.5)
        else:
            settle_in_vain(quotas, second + 0.5)
        most = 6 * (2 * POLICY.window_seconds + 2)
        sizes = [len(quotas._counts), len(quotas._begun), len(quotas._active)]
        assert max(sizes) <= most, second
    for second in range(1_000, 1_010):
        settle_in_vain(quotas, second)
    assert (len(quotas._counts), len(quotas._begun), len(quotas._active)) == (0, 0, 0)
    storage.cache.client.delete(*(limit_key(POLICY, user) for user in users))


def test_no_step_looks_at_all_windows_and_yet_more_are_forgotten_than_begin() -> None:
    quotas = ReadQuotas(POLICY)
    for user in range(2_000):
        quotas.take(user, 0)
    settle_in_vain(quotas, 59)
    settle_in_vain(quotas, 61)
    assert len(quotas._begun) == 2_000 - LOOKS_PER_SETTLEMENT
    for user in range(5_000, 5_500):
        quotas.take(user, 62)
    assert len(quotas._begun) == 2_000 - LOOKS_PER_SETTLEMENT - (LOOKS_PER_BEGIN - 1) * 500


def test_the_counts_of_many_idle_users_are_bounded_although_a_window_was_prolonged(
    storage: Storage, viewer: int
) -> None:
    """A window that the cache prolongs, at the head of the line, holds up no others."""
    quotas = ReadQuotas(POLICY)
    quotas.take(viewer, 0)
    for user in range(1, USERS_PER_BUFFER):
        quotas.take(user, 1)
    settle_in_vain(quotas, 2)
    quotas.take(viewer, 40)
    settle(storage.cache, quotas, 41)  # in the cache the window begins now, and ends at 101
    assert quotas.take(viewer, 70).remaining == POLICY.quota - 2
    settle_in_vain(quotas, 70)
    assert set(quotas._counts) == {viewer}
