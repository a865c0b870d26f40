"""The drill's short form, and a control run that must fail: else no drill would prove anything."""

import random
from dataclasses import replace

import pytest

from tests.drill.drill import drill
from tests.drill.faults import BY_NAME
from tests.drill.report import Report, told
from tests.drill.schedule import Planned, plan
from tests.folders import free_folder

FIXED = 7
HALF_SECONDS = 30.0
CONTROL_SECONDS = 25.0

pytestmark = pytest.mark.timeout(600)


def test_a_minute_of_faults_loses_nothing() -> None:
    """Half of the faults are the same each time, half are drawn afresh; the seed is printed."""
    fresh = random.SystemRandom().randrange(10**9)
    print(f"SEED={fresh}")
    later = [replace(one, at=one.at + HALF_SECONDS) for one in plan(fresh, HALF_SECONDS)]
    faults = [*plan(FIXED, HALF_SECONDS), *later]
    folder = free_folder("drill")
    report = drill(folder, seed=fresh, seconds=2 * HALF_SECONDS, planned=faults)
    assert report.sound, told(report, folder)
    assert report.acknowledged > 300, told(report, folder)


def test_without_the_sweeper_posts_are_lost() -> None:
    """Bells are lost all the time, and nobody rings again."""
    report = _control("sweeper", "delete-queue-entries", "flush-queue")
    assert "lost" in _kinds(report), report.violations


def test_without_the_drop_on_unfollow_a_followee_is_still_shown() -> None:
    """Cases 21 and 23 the other way round: what P6 says is checked indeed."""
    report = _control("drop")
    assert "left-shown" in _kinds(report), report.violations


def _control(control: str, *names: str) -> Report:
    faults = [
        Planned(at=2.0 + at, fault=BY_NAME[name], rng_seed=at, seconds=0.2, lane=lane)
        for lane, name in enumerate(names)
        for at in range(int(CONTROL_SECONDS) - 3)
    ]
    return drill(
        free_folder("drill"),
        seed=FIXED,
        seconds=CONTROL_SECONDS,
        control=control,
        clients=8,
        planned=faults,
    )


def _kinds(report: Report) -> set[str]:
    return {violation["kind"] for violation in report.violations}
