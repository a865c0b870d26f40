"""docs/security.md ticks every row of the security list by tests that exist."""

import re
from collections import defaultdict

import pytest

from tests.support.marked_tests import TESTS, marked_tests

PAGE = (TESTS.parent / "docs" / "security.md").read_text()
ROWS = range(1, 26)
ROW = re.compile(r"^### (\d+)\. .+\n\n(?:[^-\n].+\n+)+((?:- .+\n)+)", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
MARK = re.compile(r"^# Security (\d+(?:, \d+)*)$")


def rows() -> dict[int, set[tuple[str, str]]]:
    """Row → its tests, as the page lists them."""
    return {int(number): set(TEST.findall(lines)) for number, lines in ROW.findall(PAGE)}


def existing() -> dict[tuple[str, str], set[int]]:
    """Every test by file and name, and the rows that the comments above it name."""
    return {
        name: {
            int(number)
            for mark in filter(None, map(MARK.match, test.above))
            for number in mark[1].split(", ")
        }
        for name, test in marked_tests().items()
    }


def test_every_row_of_the_list_is_in_the_page() -> None:
    assert sorted(rows()) == list(ROWS)


def test_a_row_is_ticked_or_says_that_it_is_not_held_yet() -> None:
    for number, lines in ROW.findall(PAGE):
        assert rows()[int(number)] or "- not held yet: " in lines, number


@pytest.mark.parametrize("row", ROWS)
def test_every_test_that_is_named_exists(row: int) -> None:
    assert rows()[row] <= set(existing())


def test_a_test_that_says_its_row_is_in_the_row() -> None:
    lacking = defaultdict(set)
    for name, numbers in existing().items():
        for number in numbers:
            if name not in rows()[number]:
                lacking[number].add("::".join(name))
    assert not lacking
