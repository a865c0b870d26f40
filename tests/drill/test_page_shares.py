"""The shares of pages by source and by change, and what is too little of them."""

from dataclasses import replace

import pytest

from drill.checking.check import check
from drill.checking.evidence import Evidence
from drill.checking.page_shares import PageShares, measure_shares
from drill.report import build_report
from tests.drill.script import ANA, BEN, Script

ENOUGH = PageShares(
    by_source={"graph": 50, "window": 50}, received=100, changed=20, changed_copies=10
)
LONG, SHORT = 300.0, 299.0


def shares(script: Script) -> PageShares:
    return measure_shares(Evidence(script.lines))


def test_pages_are_counted_by_any_source_between_the_first_and_the_last_count(
    script: Script,
) -> None:
    script.read(BEN, (20, ANA), (10, ANA))
    script.sources(graph=10, window=5)
    script.read(BEN, (20, ANA), (10, ANA))
    script.sources(graph=11, window=5)
    script.read(BEN, (20, ANA), (10, ANA))
    script.sources(graph=11, window=5, copies=3)
    script.read(BEN, (20, ANA), (10, ANA))
    measured = shares(script)
    assert measured.by_source == {"copies": 3, "graph": 1}
    assert measured.copies_share == 0.75
    assert measured.received == 2


def test_changed_pages_are_from_copies_only_as_far_as_the_graph_served_fewer(
    script: Script,
) -> None:
    script.sources(graph=0)
    script.wait(100)
    script.rename(ANA, "A1")
    script.read(BEN, (20, ANA), (10, ANA))
    script.sources(graph=7)  # all of them may be the changed ones
    script.rename(ANA, "A2")
    script.do("read", viewer=BEN, posts=[[20, ANA, "p20"]], next=True)
    script.do("read", viewer=BEN, posts=[[20, ANA, "p20"]], next=True)
    script.sources(graph=8)
    measured = shares(script)
    assert (measured.received, measured.changed, measured.changed_copies) == (3, 3, 1)
    assert measured.changed_share == pytest.approx(1 / 3)


def test_a_history_without_counts_has_no_shares(script: Script) -> None:
    script.read(BEN, (20, ANA), (10, ANA))
    assert shares(script) == PageShares()
    assert (PageShares().copies_share, PageShares().changed_share) == (0, 0)


def test_a_long_drill_must_have_half_of_its_pages_from_windows_and_copies() -> None:
    assert ENOUGH.shortfalls(LONG) == []
    too_few = replace(ENOUGH, by_source={"graph": 51, "window": 9, "copies": 40})
    [sentence] = too_few.shortfalls(LONG)
    assert sentence.startswith("only 49.0% of the pages came from windows, lists and copies")


def test_a_long_drill_must_have_a_tenth_of_its_pages_from_copies_just_changed() -> None:
    [sentence] = replace(ENOUGH, changed_copies=9).shortfalls(LONG)
    assert sentence.startswith("only 9.0% of the pages came from there and had just changed")


def test_a_short_drill_is_not_held_to_the_shares() -> None:
    assert len(PageShares().shortfalls(LONG)) == 2
    assert PageShares().shortfalls(SHORT) == []


@pytest.mark.parametrize(("seconds", "sound"), [(LONG, False), (SHORT, True)])
def test_a_drill_that_tested_too_little_is_not_sound(
    script: Script, seconds: float, *, sound: bool
) -> None:
    script.read(BEN, (20, ANA), (10, ANA))
    findings = check(script.lines)
    report = build_report(
        script.lines, findings, PageShares(), seed=7, seconds=seconds, control="", counters={}
    )
    assert report.violations == []
    assert report.sound is sound
