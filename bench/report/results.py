"""The result file: all that a run found. Table, picture and comparison are made from it alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.rounds import FAILING, Outcome
from bench.rows.row import Row

SCHEMA = 1
"""Raised when a reader of the file would have to change."""

Result = Mapping[str, Any]
"""A result file as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a row's cost grows with the users.

    `points`: every round's [users, cost], the cost a ratio to its counterpart's beside it.
    `interval`: the exponent's, of 95 %.
    """

    row: str
    points: Sequence[tuple[float, float]]
    exponent: float
    interval: tuple[float, float]
    target: float
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One line of the cost sheet. `source` names the row it follows from, or the assumption."""

    item: str
    value: float
    unit: str
    source: str


def row_result(row: Row, outcome: Outcome) -> dict[str, Any]:
    """A row as it stands in the file."""
    ratios = [one.ratio for one in outcome.rounds]
    return {
        "id": row.id,
        "title": row.title,
        "unit": row.unit,
        "better": row.better,
        "sizes": dict(outcome.sizes),
        "rounds": [asdict(one) for one in outcome.rounds],
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
    """A row's growth as it stands in the file."""
    return asdict(growth)


def cost_result(cost: Cost) -> dict[str, Any]:
    """A line of the cost sheet as it stands in the file."""
    return {"item": cost.item, "value": cost.value, "unit": cost.unit, "from": cost.source}


def write(result: Result, folder: Path) -> Path:
    """The file written, named by when and at which commit the run began."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = str(result["started"]).replace("-", "").replace(":", "")
    path = folder / f"{stamp}-{result['commit']}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def read(path: Path) -> Result:
    """A result file. Raises ValueError where it is none, or one of another schema."""
    result = json.loads(path.read_text())
    if not isinstance(result, dict) or result.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no result file of schema {SCHEMA}.")
    return result


def failed(result: Result) -> bool:
    """Whether a row's result was wrong, or a row broke: the run exits 1 then."""
    return any(row["verdict"] in FAILING for row in result["rows"])
