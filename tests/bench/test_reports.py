import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.report import picture, results, tables
from bench.report.compare import compare
from bench.report.results import (
    Cost,
    Growth,
    cost_result,
    growth_result,
    has_failures,
    row_result,
)
from bench.rounds import Outcome, Round, Verdict
from bench.rows.row import Check, Row


def row(ratios: Sequence[float], verdict: Verdict, name: str = "F1") -> dict[str, Any]:
    nothing: Any = None
    about = Row(id=name, title="a : b", unit="/s", target=0.95, better="higher", open=nothing)
    rounds = [Round(ours=1000 * r, against=1000.0, ratio=r, order="AB") for r in ratios]
    check = Check(what="lists", count=50_000, passed=verdict != "WRONG")
    return row_result(
        about, Outcome(verdict=verdict, rounds=rounds, check=check, cpu_us={"redis": 1.234})
    )


def result_of(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    machine = {"cpu": "some CPU", "cores": 2, "ram": 8.0, "load": 0.5, "steal": 0.1}
    return {
        "schema": results.SCHEMA,
        "commit": "abc1234",
        "dirty": False,
        "seed": 7,
        "started": "2026-01-02T03:04:05Z",
        "seconds": 60.0,
        "machine": machine,
        "versions": {"python": "3.11"},
        "rows": list(rows),
        "growth": [],
        "cost": [],
    } | more


GROWTH = growth_result(
    Growth(
        row="R1",
        points=[(10_000, 1.0), (10_000, 1.1), (100_000, 1.05), (1_000_000, 1.1)],
        exponent=0.01,
        interval=(-0.02, 0.04),
        target=0.1,
        verdict="met",
    )
)


def test_a_ratio_is_shown_as_median_and_range() -> None:
    text = tables.markdown(result_of(row([1.2, 0.9, 1.0], "unclear")))
    assert "| F1 | a : b | 1 (0.9..1.2) | ≥ 0.95 | unclear | 50,000 lists |" in text
    assert "1,000 /s" in text
    assert "redis 1.23" in text


def test_a_wrong_row_shows_its_verdict_and_no_rate() -> None:
    for text in (
        tables.markdown(result_of(row([], "WRONG"))),
        tables.terminal(result_of(row([], "WRONG"))),
    ):
        assert "WRONG" in text
        assert "/s" not in text


def test_a_wrong_or_broken_row_fails_the_run_and_a_missed_target_does_not() -> None:
    assert has_failures(result_of(row([1.0], "met"), row([], "WRONG")))
    assert has_failures(result_of(row([], "failed")))
    assert not has_failures(result_of(row([0.5], "missed"), row([], "void"), row([], "not run")))


def test_growth_and_costs_are_in_both_tables() -> None:
    cost = cost_result(Cost(item="RAM", value=1234.5, unit="GB", source="M1"))
    result = result_of(row([1.0], "met"), growth=[GROWTH], cost=[cost])
    for text in (tables.markdown(result), tables.terminal(result)):
        assert "0.010 (-0.020..0.040)" in text
        assert "1,234" in text


def test_a_page_gets_the_tables_between_its_marks_and_keeps_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (begin, end), (grown, _) = tables.MARKS.values()
    marks = [mark for pair in tables.MARKS.values() for mark in pair]
    page.write_text("\nold\n".join(["before", *marks, "after"]))
    for _ in range(2):
        tables.update_page(page, result_of(row([1.0], "met")))
        text = page.read_text()
        assert text.startswith(f"before\nold\n{begin}\n2026-01-02")
        assert f"{end}\nold\n{grown}\nold\n" in text
        assert text.endswith("\nafter")
    assert "| F1 | a : b | 1 (1..1) | ≥ 0.95 | met |\n" in page.read_text()
    tables.update_page(page, result_of(growth=[GROWTH]))
    assert page.read_text().startswith(text.partition(grown)[0])
    assert f"{grown}\n2026-01-02" in page.read_text()
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        tables.update_page(page, result_of(row([1.0], "met")))


def test_a_result_file_is_named_by_its_time_and_commit_and_read_back(tmp_path: Path) -> None:
    result = result_of(row([1.0, 1.1, 1.2], "met"), growth=[GROWTH])
    path = results.write(result, tmp_path)
    assert path.name == "20260102T030405Z-abc1234.json"
    read = results.read(path)
    assert tables.markdown(read) == tables.markdown(result)
    assert (read["rows"][0]["median"], read["rows"][0]["min"]) == (1.1, 1.0)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"schema": 99}')
    with pytest.raises(ValueError, match="no result file"):
        results.read(other)


def test_two_files_are_compared_row_by_row() -> None:
    a = result_of(row([1.0], "met"), row([1.0], "met", "F2"))
    b = result_of(row([1.5], "met"), row([2.0], "met", "F4"), commit="def5678")
    lines = compare(a, b).splitlines()
    assert lines[0].split() == ["row", "A", "abc1234", "B", "def5678", "B", "÷", "A", "A", "B"]
    assert lines[1].split() == ["F1", "1", "(1..1)", "1.5", "(1.5..1.5)", "1.5", "met", "met"]
    assert [line.split()[0] for line in lines[2:]] == ["F2", "F4"]


def test_the_picture_has_every_point_and_a_line_a_row() -> None:
    other = {**GROWTH, "row": "F1 & more"}
    drawn = ET.fromstring(picture.svg([GROWTH, other]))  # noqa: S314  (our own)
    space = "{http://www.w3.org/2000/svg}"
    keys = 2
    assert len(drawn.findall(f"{space}circle")) == 2 * len(GROWTH["points"]) + keys
    fits = [p for p in drawn.findall(f"{space}path") if p.get("stroke-width") == "2"]
    assert len(fits) == 2
    assert "F1 & more: b = 0.010 (-0.020..0.040)" in "".join(drawn.itertext())
