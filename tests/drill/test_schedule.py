"""The plan of a drill: what its seed, its number of faults and its lanes guarantee."""

from itertools import pairwise

import pytest

from drill.calm_minutes import calm_minutes, is_calm
from drill.faults.catalogue import CATALOGUE
from drill.faults.schedule import HEAVY_SECONDS, LANES, plan

SEEDS = (1, 7, 11, 2_026)


def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert plan(7, 120) != plan(8, 120)


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_minutes_have_at_least_210_faults_and_five_have_each_of_them(seed: int) -> None:
    assert len(plan(seed, 600)) >= 210
    assert {planned.fault.name for planned in plan(seed, 300)} == {
        fault.name for fault in CATALOGUE
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_two_faults_are_active_at_once_and_all_end_before_the_drill(seed: int) -> None:
    faults = plan(seed, 120)
    for lane in range(LANES):
        in_lane = [planned for planned in faults if planned.lane == lane]
        assert in_lane
        for planned, following in pairwise(in_lane):
            assert planned.at + planned.seconds < following.at
    assert {planned.lane for planned in faults} == set(range(LANES))
    assert max(planned.at + planned.seconds for planned in faults) <= 120


@pytest.mark.parametrize("seed", SEEDS)
def test_heavy_faults_are_at_least_90_seconds_apart(seed: int) -> None:
    heavy = [planned.at for planned in plan(seed, 600) if planned.fault.heavy]
    assert len(heavy) >= 5
    assert all(later - at >= HEAVY_SECONDS for at, later in pairwise(heavy))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_fault_empties_the_cache_in_a_calm_minute(seed: int) -> None:
    calm = calm_minutes(600)
    emptying = [planned for planned in plan(seed, 600) if planned.fault.empties_cache]
    assert {planned.fault.name for planned in emptying} == {
        *("flush-cache", "kill-cache", "evict-cache-keys", "cache-from-old-snapshot"),
    }
    assert not any(is_calm(calm, one.at, one.at + one.seconds) for one in emptying)


def test_a_plan_without_calm_spans_may_empty_the_cache_at_any_time() -> None:
    emptying = [one for one in plan(7, 600, calm=[]) if one.fault.empties_cache]
    assert any(is_calm(calm_minutes(600), one.at, one.at + one.seconds) for one in emptying)
