"""Control runs of the drill, in which violations must be found."""

import pytest

from drill.faults.catalogue import BY_NAME
from drill.faults.schedule import PlannedFault
from drill.report_text import render
from drill.run import DrillOptions, run_drill
from tests.support.folders import free_folder

SEED = 7
SECONDS = 25.0


@pytest.mark.timeout(600)
def test_without_the_sweeper_and_the_drop_on_unfollow_promises_are_seen_broken() -> None:
    """Jobs are deleted all the time and no sweeper wakes a worker; no unfollow drops a timeline.

    Cases 21 and 23, reversed: the check of P2 and P6 finds violations.
    """
    names = ("delete-queue-entries", "flush-queue")
    faults = [
        PlannedFault(at=2.0 + at, fault=BY_NAME[name], rng_seed=at, seconds=0.2, lane=lane)
        for lane, name in enumerate(names)
        for at in range(int(SECONDS) - 3)
    ]
    folder = free_folder("drill")
    options = DrillOptions(seed=SEED, seconds=SECONDS, control="sweeper,drop", clients=8)
    report = run_drill(folder, options, faults=faults)
    kinds = {violation["kind"] for violation in report.violations}
    assert "left-shown" in kinds, render(report, folder)
    assert kinds & {"lost", "not-drained"}, render(report, folder)  # what is not drained is P2 too


@pytest.mark.timeout(600)
def test_without_announcements_old_copies_are_seen() -> None:
    folder = free_folder("drill")
    options = DrillOptions(seed=SEED, seconds=SECONDS, control="announce", clients=8)
    report = run_drill(folder, options, faults=[])
    kinds = {violation["kind"] for violation in report.violations}
    assert {"deleted-shown", "old-name-shown"} <= kinds, render(report, folder)
