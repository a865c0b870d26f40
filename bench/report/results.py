"""The result file: all results of a run. Tables, picture and comparison are made from it alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.rounds import FAILURES, Outcome
from bench.rows.row import Row

SCHEMA = 1
"""To be raised when readers of the file have to change."""

Result = Mapping[str, Any]
"""A result file as read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a row's cost grows with the number of users, or with the number that `row` names."""

    row: str
    points: Sequence[tuple[float, float]]
    """(users or another number, cost) of every round. The cost is a ratio to the counterpart's."""
    exponent: float
    interval: tuple[float, float]
    """The exponent's, of 95 %."""
    target: float
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A line of the cost sheet. `source` names the row it is computed from, or the assumption."""

    item: str
    value: float
    unit: str
    source: str


def row_result(row: Row, outcome: Outcome) -> dict[str, Any]:
    """A row in the file."""
    ratios = [one_round.ratio for one_round in outcome.rounds]
    return {
        "id": row.id,
        "title": row.title,
        "unit": row.unit,
        "better": row.better,
        "sizes": dict(outcome.sizes),
        "rounds": [asdict(one_round) for one_round in outcome.rounds],
        "median": median(ratios) if ratios else None,
        "min": min(ratios, default=None),
        "max": max(ratios, default=None),
        "target": row.target,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "check": asdict(outcome.check) if outcome.check else None,
        "cpu_us": dict(outcome.cpu_us),
        "context": dict(outcome.context),
    }


def growth_result(growth: Growth) -> dict[str, Any]:
    """A row's growth in the file."""
    return asdict(growth)


def cost_result(cost: Cost) -> dict[str, Any]:
    """A line of the cost sheet in the file."""
    return {"item": cost.item, "value": cost.value, "unit": cost.unit, "from": cost.source}


def write(result: Result, folder: Path) -> Path:
    """Write the file; returns its path, which has the run's start and commit."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = str(result["started"]).replace("-", "").replace(":", "")
    path = folder / f"{stamp}-{result['commit']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def read(path: Path) -> Result:
    """A result file. Raises ValueError for any other file, and for another schema."""
    result = json.loads(path.read_text())
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no result file of schema {SCHEMA}.")
    return result


def has_failures(result: Result) -> bool:
    """Whether a row's result was wrong or a row failed: the run then exits with 1."""
    return any(row["verdict"] in FAILURES for row in result["rows"])
