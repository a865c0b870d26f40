"""A run: the rows one after the other, each on its own, and what is written of them."""

import shutil
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.report import tables as report
from bench.report.results import SCHEMA, Result, cost_result, growth_result, row_result
from bench.rounds import Outcome, measured
from bench.rows import table
from bench.rows.row import Row, Sizes
from bench.stage import machine
from bench.stage.shared import Shared
from stack.progress import Progress

INSTALL = {
    "redis-benchmark": "apt install redis-tools",
    "wrk": "apt install wrk",
}
"""How a program that a row needs is got on Debian and Ubuntu."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks of a run."""

    quick: bool
    seed: int
    seconds: float
    growth: bool


def run(rows: Sequence[Row], asked: Asked) -> Result:
    """The result of a run, as the file has it. A row that breaks does not stop the others."""
    began, ticks = time.monotonic(), machine.ticks()
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    commit, dirty = machine.commit()
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "commit": commit,
        "dirty": dirty,
        "seed": asked.seed,
        "started": started,
        "quick": asked.quick,
        "machine": machine.machine(),
        "versions": machine.versions(),
    }
    total = len(rows) + asked.growth
    with Shared() as shared, Progress("bench", total, unit="rows", stderr=True) as bar:
        progress = _RowProgress(bar)
        sizes = Sizes(
            quick=asked.quick,
            seed=asked.seed,
            seconds=asked.seconds,
            shared=shared,
            say=progress.say,
        )
        result["rows"] = [_one(row, sizes, progress) for row in rows]
        result["growth"] = _growth(sizes, progress) if asked.growth else []
    result["cost"] = _costs(result["rows"]) if rows and not asked.quick else []
    result["machine"]["steal"] = machine.steal(ticks, machine.ticks())
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


class _RowProgress:
    """Shows which row is measured, what it does, and the line of each row that is over."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._row = ""

    def begin(self, row: str) -> None:
        """Sets the row that the next details are of."""
        self._row = row
        self._bar.describe(row)

    def say(self, detail: str) -> None:
        """Shows what the row does now."""
        self._bar.describe(f"{self._row}: {detail}")

    def end(self, line: str) -> None:
        """Counts the row and prints its line."""
        self._bar.print(line)
        self._bar.advance()


def _one(row: Row, sizes: Sizes, progress: _RowProgress) -> dict[str, Any]:
    progress.begin(row.id)
    found = row_result(row, _outcome(row, sizes))
    progress.end(report.line(found))
    return found


def _outcome(row: Row, sizes: Sizes) -> Outcome:
    missing = [program for program in row.needs if not shutil.which(program)]
    if missing:
        how = "; ".join(INSTALL.get(program, f"install {program}") for program in missing)
        return Outcome(verdict="not run", reason=f"{', '.join(missing)} is missing: {how}")
    try:
        return measured(row, sizes, say=sizes.say)
    except Exception as error:  # noqa: BLE001  (whatever it was: an hour of other rows stands behind it)
        traceback.print_exc()
        return Outcome(verdict="failed", reason=f"{type(error).__name__}: {error}")


def _growth(sizes: Sizes, progress: _RowProgress) -> list[dict[str, Any]]:
    if table.GROWTH is None:
        return []
    progress.begin("growth")
    found = [growth_result(growth) for growth in table.GROWTH(sizes)]
    progress.end(f"growth  {len(found)} rows")
    return found


def _costs(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [cost_result(cost) for cost in table.COSTS(rows)] if table.COSTS else []
