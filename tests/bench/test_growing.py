"""Exponents with their intervals, costs, wrk's words, and lists judged by the model."""

import math
from typing import Any

import pytest

from bench.growth import differing
from bench.peers.wrk import Load, parsed
from bench.report.cost import sheet
from bench.report.fitting import fit, student
from bench.rows.memory import LIST_ENTRY
from bench.stage.fill import list_commands
from bench.stage.proof import right
from storage.timeline_layout import DISORDER
from storage.timelines import Listing


def test_the_exponent_of_a_power_is_found_exactly() -> None:
    found = fit([(n, 3 * n**0.25) for n in (10_000, 100_000, 1_000_000)])
    assert math.isclose(found.exponent, 0.25)
    assert math.isclose(found.low, found.high, abs_tol=1e-9)
    assert found.verdict(0.3) == "met"
    assert found.verdict(0.1) == "missed"


def test_scattered_points_widen_the_interval_until_nothing_can_be_said() -> None:
    points = [(n, 1 + noise) for n in (10_000, 100_000) for noise in (0.0, 0.4, 0.8)]
    found = fit(points)
    assert abs(found.exponent) < 1e-9
    assert found.low < -0.1 < 0.1 < found.high
    assert found.verdict(0.1) == "unclear"


def test_the_interval_is_the_textbooks() -> None:
    found = fit([(math.e, math.e**1.0), (math.e**2, math.e**2.5), (math.e**3, math.e**3.0)])
    assert math.isclose(found.exponent, 1.0)
    error = math.sqrt((1 / 6 + 1 / 36 - 1 / 36) / 1 / 2)  # residuals -1/6, 1/3, -1/6
    assert math.isclose(found.high - found.exponent, 12.706 * error, rel_tol=1e-6)


def test_a_fit_of_one_size_is_refused() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        fit([(10, 1.0), (10, 2.0), (10, 3.0)])


def test_students_t_falls_with_the_degrees_of_freedom() -> None:
    values = [student(freedom) for freedom in (1, 2, 10, 12, 15, 21, 40, 60, 1_000)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 12.706
    assert values[-1] == 1.96


def test_statements_with_other_plans_are_named() -> None:
    assert differing({"a": ["Seek"], "b": ["Seek"]}, {"a": ["Seek"], "b": ["Scan"]}) == ["b"]


def listing(*entries: int, expires: bool = True) -> Listing:
    return Listing(entries=list(entries), expires=expires)


FEED = [9, 8, 7, 6, 5]


@pytest.mark.parametrize(
    ("entries", "is_right"),
    [
        ((0, 5, 6, 7, 8, 9), True),
        ((0, 5, 6, 8, 7, 9), True),  # out of order by a moment
        ((-7, 7, 8, 9), True),
        ((7, 8, 9), True),  # trimmed to the cap
        ((8, 9), False),  # trimmed below it
        ((6, 8, 9), True),  # trimmed after 6 came late: 7 stood before it
        ((6, 8, 8, 9), False),  # twice
        ((4, 8, 9), False),  # of nobody
        ((0, 5, 6, 7, 9), False),  # a hole
        ((0, 5, 6, 7, 8, 9, 9), False),  # twice
        ((0, 4, 5, 6, 7, 8, 9), False),  # of nobody
        ((-8, 7, 8, 9), False),  # the watermark is above an entry
        ((5, 6, 0, 7, 8, 9), False),  # the sentinel is not the first
        ((0, 4, 5, 6, 7, 8, 9, 10), False),  # too long
    ],
)
def test_a_list_is_right_if_it_is_the_feed_above_its_watermark(
    entries: tuple[int, ...], is_right: bool
) -> None:
    assert right(listing(*entries), FEED, cap=3, longest=7) is is_right


def test_a_trimmed_list_may_miss_only_what_is_within_t_of_its_first_entry() -> None:
    feed = [6 * DISORDER, 5 * DISORDER, 2 * DISORDER, 2 * DISORDER - 1, DISORDER]
    late = listing(DISORDER, *feed[:3])
    assert right(late, feed, cap=3, longest=7)
    assert not right(listing(DISORDER, *feed[:2]), feed, cap=3, longest=7)


def test_a_list_that_never_expires_is_wrong() -> None:
    assert not right(listing(0, 5, 6, 7, 8, 9, expires=False), FEED, cap=3, longest=7)


def test_a_full_list_is_filled_with_the_newest_and_a_watermark() -> None:
    _, push, _ = list_commands(1, FEED, 3)
    assert push.split(b"\r\n")[6::2] == [b"-7", b"7", b"8", b"9"]
    _, push, _ = list_commands(1, FEED, 10)
    assert push.split(b"\r\n")[6::2] == [b"0", b"5", b"6", b"7", b"8", b"9"]


SAID = (
    'Running 1s test\nRESULT {"requests": 120, "microseconds": 2000000, "bytes": 9, '
    '"status": 20, "overloaded": 15, "lost": 1, "p50": 500.0, "p99": 1500.0}\n'
)


def test_what_wrk_says_is_read() -> None:
    assert parsed(SAID) == Load(
        requests=100, seconds=2.0, refused=5, overloaded=15, lost=1, p50_ms=0.5, p99_ms=1.5
    )
    assert parsed(SAID).rate == 50


def test_a_load_with_a_wrong_answer_says_no_rate() -> None:
    with pytest.raises(RuntimeError, match="went wrong"):
        parsed(SAID).clean()
    with pytest.raises(ValueError, match="no result"):
        parsed("Running 1s test")


def test_costs_name_the_row_or_the_assumption_that_they_follow_from() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "M1", "median": 10.0, "cpu_us": {}, "context": {LIST_ENTRY: 13.0}},
        {"id": "R1", "median": 2.0, "cpu_us": {"ours": 50.0, "redis": 30.0}},
        {"id": "W1", "median": None, "cpu_us": {}},
    ]
    by_item = {line.item: line for line in sheet(rows)}
    assert by_item["timelines, cache RAM"].value == pytest.approx(20.8)
    assert by_item["timelines, cache RAM"].source.startswith("M1 (13.0 B")
    assert by_item["API cores, pages"].value == pytest.approx(23_100 * 3 * 50e-6 / 0.5)
    assert "API cores, publishing" not in by_item
    assert all(line.source for line in by_item.values())
