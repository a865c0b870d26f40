from typing import Any

import pytest

from bench.report.cost import cost_sheet
from bench.rows.memory import CACHED_BODY, LIST_ENTRY


def test_costs_name_the_row_or_the_assumption_that_they_follow_from() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "M1", "median": 10.0, "cpu_us": {}, "context": {LIST_ENTRY: 13.0}},
        {"id": "M2", "median": 0.4, "cpu_us": {}, "context": {CACHED_BODY: 380.0}},
        {"id": "R1", "median": 2.0, "cpu_us": {"ours": 50.0, "redis": 30.0}},
        {"id": "W1", "median": None, "cpu_us": {}},
    ]
    by_item = {line.item: line for line in cost_sheet(rows)}
    assert by_item["timelines, cache RAM"].value == pytest.approx(20.8)
    assert by_item["timelines, cache RAM"].source.startswith("M1 (13.0 B")
    assert by_item["bodies of a month, cache RAM"].value == pytest.approx(228)
    assert by_item["bodies of a month, cache RAM"].source.startswith("M2 (380 B")
    assert by_item["API cores, pages"].value == pytest.approx(23_100 * 3 * 50e-6 / 0.5)
    assert "API cores, publishing" not in by_item
    assert all(line.source for line in by_item.values())
