"""Two result files side by side."""

from collections.abc import Mapping
from typing import Any

from bench.report.results import Result
from bench.report.tables import align, format_number, format_ratio

HEAD = ("row", "A {a}", "B {b}", "B ÷ A", "A", "B")


def compare(a: Result, b: Result) -> str:
    """A table of all rows of either file: ratios, the ratio of their medians, and verdicts."""
    rows_a = {row["id"]: row for row in a["rows"]}
    rows_b = {row["id"]: row for row in b["rows"]}
    head = tuple(cell.format(a=a["commit"], b=b["commit"]) for cell in HEAD)
    ids = dict.fromkeys([*rows_a, *rows_b])
    return align(
        [head, *(_cells(row_id, rows_a.get(row_id), rows_b.get(row_id)) for row_id in ids)]
    )


def _cells(
    row_id: str, a: Mapping[str, Any] | None, b: Mapping[str, Any] | None
) -> tuple[str, ...]:
    return (
        row_id,
        format_ratio(a) if a else "",
        format_ratio(b) if b else "",
        _change(a, b),
        a["verdict"] if a else "",
        b["verdict"] if b else "",
    )


def _change(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> str:
    """The ratio of the medians, if both rows have one."""
    if not a or not b or not a["median"] or not b["median"]:
        return ""
    return format_number(b["median"] / a["median"])
