"""The plan of a drill, without a stage: what is promised of its seed, its number and its lanes."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from drill.faults.catalogue import CATALOGUE
from drill.faults.schedule import HEAVY_SECONDS, LANES, plan

SEEDS = (1, 7, 11, 2_026)
LONGEST_CASE = 44


def test_every_fault_has_a_name_of_its_own_and_its_cases() -> None:
    names = Counter(fault.name for fault in CATALOGUE)
    assert set(names.values()) == {1}
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name) for name in names)
    assert all(fault.cases and max(fault.cases) <= LONGEST_CASE for fault in CATALOGUE)


def test_a_seed_gives_the_same_plan_again_and_another_seed_another() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert plan(7, 120) != plan(8, 120)


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_minutes_have_at_least_210_faults_and_five_have_each_of_them(seed: int) -> None:
    assert len(plan(seed, 600)) >= 210
    assert {one.fault.name for one in plan(seed, 300)} == {fault.name for fault in CATALOGUE}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_more_than_two_faults_at_once_all_over_before_the_end(seed: int) -> None:
    planned = plan(seed, 120)
    for lane in range(LANES):
        mine = [one for one in planned if one.lane == lane]
        assert mine
        for one, following in pairwise(mine):
            assert one.at + one.seconds < following.at
    assert {one.lane for one in planned} == set(range(LANES))
    assert max(one.at + one.seconds for one in planned) <= 120


@pytest.mark.parametrize("seed", SEEDS)
def test_the_graph_is_left_alone_for_a_while_after_each_of_its_deaths(seed: int) -> None:
    heavy = [one.at for one in plan(seed, 600) if one.fault.heavy]
    assert len(heavy) >= 5
    assert all(later - at >= HEAVY_SECONDS for at, later in pairwise(heavy))
