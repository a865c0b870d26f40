"""Habits: what calm and busy users do, in calm minutes and between them."""

import random
from collections import Counter

import pytest

from drill.load.habits import BUSY, CALM, FOLLOW_CHANGES, Choice, Habit

SEED = 7
DRAWS = 20_000


def draw(habit: Habit, *, calm: bool, seconds: float) -> Counter[str]:
    """The operations of one user, evenly over the seconds."""
    choice = Choice(habit, random.Random(SEED), 0.0)
    return Counter(choice.next_op(seconds * n / DRAWS, calm=calm) for n in range(DRAWS))


@pytest.mark.parametrize("habit", [BUSY, CALM])
def test_no_user_changes_a_follow_in_a_calm_minute(habit: Habit) -> None:
    ops = draw(habit, calm=True, seconds=10_000)
    assert ops.keys() == (habit.weights.keys() | habit.changes.keys()) - FOLLOW_CHANGES


@pytest.mark.parametrize("habit", [BUSY, CALM])
def test_between_calm_minutes_a_user_does_everything(habit: Habit) -> None:
    ops = draw(habit, calm=False, seconds=10_000)
    assert ops.keys() == habit.weights.keys() | habit.changes.keys()


def test_a_calm_user_makes_a_change_about_every_20_seconds_however_much_it_reads() -> None:
    for seconds in (1_000.0, 10_000.0):
        ops = draw(CALM, calm=False, seconds=seconds)
        changes = sum(ops[op] for op in CALM.changes)
        assert changes == pytest.approx(seconds / 20, rel=0.3)


def test_a_calm_user_never_follows_and_never_unfollows() -> None:
    assert not {"follow", "unfollow"} & (CALM.weights.keys() | CALM.changes.keys())
