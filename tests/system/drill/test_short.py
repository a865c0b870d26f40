"""A drill of a minute that must be sound, and a control run in which violations must be found."""

import random
from dataclasses import replace

import pytest

from drill.faults.catalogue import BY_NAME
from drill.faults.schedule import PlannedFault, plan
from drill.report_text import render
from drill.run import DrillOptions, run_drill
from tests.support.folders import free_folder

FIXED_SEED = 7
HALF_SECONDS = 30.0
CONTROL_SECONDS = 25.0
MIN_OPERATIONS = 50
"""Fewer would check too little. It is a tenth of what an idle machine does."""

pytestmark = pytest.mark.timeout(600)


def test_a_minute_of_faults_loses_nothing() -> None:
    """The faults of the first half are the same each time; those of the second are drawn."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"SEED={seed}")
    second_half = [
        replace(planned, at=planned.at + HALF_SECONDS) for planned in plan(seed, HALF_SECONDS)
    ]
    faults = [*plan(FIXED_SEED, HALF_SECONDS), *second_half]
    folder = free_folder("drill")
    options = DrillOptions(seed=seed, seconds=2 * HALF_SECONDS)
    report = run_drill(folder, options, faults=faults)
    assert report.sound, render(report, folder)
    assert report.acknowledged > MIN_OPERATIONS, render(report, folder)


def test_without_the_sweeper_and_the_drop_on_unfollow_promises_are_seen_broken() -> None:
    """Jobs are deleted all the time and no sweeper wakes a worker; no unfollow drops a timeline.

    Cases 21 and 23, reversed: the check of P2 and P6 finds violations.
    """
    names = ("delete-queue-entries", "flush-queue")
    faults = [
        PlannedFault(at=2.0 + at, fault=BY_NAME[name], rng_seed=at, seconds=0.2, lane=lane)
        for lane, name in enumerate(names)
        for at in range(int(CONTROL_SECONDS) - 3)
    ]
    folder = free_folder("drill")
    options = DrillOptions(
        seed=FIXED_SEED, seconds=CONTROL_SECONDS, control="sweeper,drop", clients=8
    )
    report = run_drill(folder, options, faults=faults)
    kinds = {violation["kind"] for violation in report.violations}
    assert {"lost", "left-shown"} <= kinds, render(report, folder)
