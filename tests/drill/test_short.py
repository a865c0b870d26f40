"""The drill's short form, and a control run that must fail: else no drill would prove a thing."""

import random
from dataclasses import replace

import pytest

from drill.faults.catalogue import BY_NAME
from drill.faults.schedule import Planned, plan
from drill.report import told
from drill.run import drill
from tests.folders import free_folder

FIXED = 7
HALF_SECONDS = 30.0
CONTROL_SECONDS = 25.0
ENOUGH = 50
"""Operations, so that something was checked: a tenth of what a machine does that is free."""

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
    assert report.acknowledged > ENOUGH, told(report, folder)


def test_without_the_sweeper_and_the_drop_on_unfollow_promises_are_seen_broken() -> None:
    """Bells are lost all the time and nobody rings again; and who is left stays in the list.

    Cases 21 and 23 the other way round: what P2 and P6 say is checked indeed.
    """
    names = ("delete-queue-entries", "flush-queue")
    faults = [
        Planned(at=2.0 + at, fault=BY_NAME[name], rng_seed=at, seconds=0.2, lane=lane)
        for lane, name in enumerate(names)
        for at in range(int(CONTROL_SECONDS) - 3)
    ]
    folder = free_folder("drill")
    report = drill(
        folder,
        seed=FIXED,
        seconds=CONTROL_SECONDS,
        control="sweeper,drop",
        clients=8,
        planned=faults,
    )
    kinds = {violation["kind"] for violation in report.violations}
    assert {"lost", "left-shown"} <= kinds, told(report, folder)
