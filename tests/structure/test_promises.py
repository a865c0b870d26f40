"""docs/promises.md ticks every case of the catalogue by tests and faults that exist."""

import re
from collections import defaultdict

import pytest

from drill.faults.catalogue import BY_NAME
from tests.support.marked_tests import TESTS, marked_tests

PAGE = (TESTS.parent / "docs" / "promises.md").read_text()
CASES = range(1, 61)
NOT_BUILT_YET: set[int] = set()
"""Cases with a row that says so."""
CASE = re.compile(r"^#### (\d+)\. .+\n\n((?:- .+\n(?:  .+\n)*)+)", re.MULTILINE)
DRILL = re.compile(r"^- drill: (.+(?:\n  .+)*)", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
FAULT = re.compile(r"`([a-z0-9-]+)`")
MARK = re.compile(r"\b[Cc]ases? (\d+(?:(?:, | and )\d+)*)")


def rows() -> dict[int, tuple[str, str]]:
    """Case → its tests and its faults of the drill, as the page lists them."""
    found = {}
    for number, lines in CASE.findall(PAGE):
        faults = "".join(DRILL.findall(lines))
        found[int(number)] = (DRILL.sub("", lines), faults)
    return found


def ticks_of(case: int) -> set[tuple[str, str]]:
    return set(TEST.findall(rows()[case][0]))


def existing() -> dict[tuple[str, str], set[int]]:
    """Every test by file and name, and the cases that the comment above it or its text names."""
    found = {}
    for name, test in marked_tests().items():
        above = test.above[-1] if test.above and test.above[-1].startswith("# Case") else ""
        marks = MARK.findall(above) + MARK.findall(test.says)
        found[name] = {int(number) for mark in marks for number in re.findall(r"\d+", mark)}
    return found


def test_every_case_of_the_catalogue_has_its_row() -> None:
    assert sorted(rows()) == list(CASES)


def test_a_row_is_ticked_by_a_test_unless_what_it_speaks_of_is_not_built_yet() -> None:
    ticked = {case for case in CASES if ticks_of(case)}
    assert ticked == set(CASES) - NOT_BUILT_YET
    for case in NOT_BUILT_YET:
        assert "not built yet" in rows()[case][0]


@pytest.mark.parametrize("case", CASES)
def test_every_test_that_is_named_exists(case: int) -> None:
    assert ticks_of(case) <= set(existing())


def test_a_test_that_says_its_case_is_in_the_row_of_the_case() -> None:
    lacking = defaultdict(set)
    for name, cases in existing().items():
        for case in cases:
            if name not in ticks_of(case):
                lacking[case].add("::".join(name))
    assert not lacking


def test_every_fault_of_the_drill_is_in_the_rows_of_its_cases_and_no_other() -> None:
    named = {case: set(FAULT.findall(faults)) for case, (_, faults) in rows().items()}
    injected: dict[int, set[str]] = defaultdict(set)
    for fault in BY_NAME.values():
        for case in fault.cases:
            injected[case].add(fault.name)
    assert named == {case: injected[case] for case in CASES}


def test_every_test_named_anywhere_in_the_page_exists() -> None:
    assert set(TEST.findall(PAGE)) <= set(existing())
