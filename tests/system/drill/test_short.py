"""A drill of a minute that must be sound."""

import random
from dataclasses import replace

import pytest

from drill.faults.schedule import plan
from drill.report_text import render
from drill.run import DrillOptions, run_drill
from tests.support.folders import free_folder

FIXED_SEED = 7
HALF_SECONDS = 30.0
MIN_OPERATIONS = 50
"""Fewer would check too little. It is a tenth of what an idle machine does."""
MIN_CHANGED_COPIES = 20
"""Pages from copies of which a part had just changed. Also a small part of an idle machine's."""

pytestmark = pytest.mark.timeout(600)


def test_a_minute_of_faults_loses_nothing() -> None:
    """The faults of the first half are the same each time; those of the second are drawn.

    The second half is the calm minute of the drill.
    """
    seed = random.SystemRandom().randrange(10**9)
    print(f"SEED={seed}")
    second_half = [
        replace(planned, at=planned.at + HALF_SECONDS)
        for planned in plan(seed, HALF_SECONDS, calm=[(0.0, HALF_SECONDS)])
    ]
    faults = [*plan(FIXED_SEED, HALF_SECONDS, calm=[]), *second_half]
    folder = free_folder("drill")
    options = DrillOptions(seed=seed, seconds=2 * HALF_SECONDS)
    report = run_drill(folder, options, faults=faults)
    assert report.sound, render(report, folder)
    assert report.acknowledged > MIN_OPERATIONS, render(report, folder)
    assert report.pages.changed_copies > MIN_CHANGED_COPIES, render(report, folder)
