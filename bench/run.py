"""A run: the rows one after the other, growth, costs, and the result of all."""

import shutil
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.growth import measure_growth
from bench.report.cost import cost_sheet
from bench.report.results import SCHEMA, Result, cost_result, growth_result, row_result
from bench.report.tables import row_line
from bench.rounds import Outcome, measure
from bench.rows.row import Row
from bench.rows.table import ROWS
from bench.stage import machine
from bench.stage.resources import Resources
from bench.stage.run_context import RunContext
from stack.progress import Progress

INSTALL = {
    "redis-benchmark": "apt install redis-tools",
    "wrk": "apt install wrk",
}
"""The command that installs a program on Debian and Ubuntu."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run."""

    quick: bool
    seed: int
    seconds: float
    growth: bool


def run_rows(rows: Sequence[Row], options: Options) -> Result:
    """The result of a run, as in the file. A row that fails does not stop the others."""
    began, ticks = time.monotonic(), machine.cpu_ticks()
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    commit, dirty = machine.commit()
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "commit": commit,
        "dirty": dirty,
        "seed": options.seed,
        "started": started,
        "quick": options.quick,
        "machine": machine.machine(),
        "versions": machine.versions(),
    }
    total = len(rows) + options.growth
    with Resources() as resources, Progress("bench", total, unit="rows", stderr=True) as bar:
        progress = _RowProgress(bar)
        context = RunContext(
            quick=options.quick,
            seed=options.seed,
            seconds=options.seconds,
            resources=resources,
            report=progress.report,
        )
        result["rows"] = [_run_row(row, context, progress) for row in rows]
        result["growth"] = _run_growth(context, progress) if options.growth else []
    complete = rows and not options.quick
    result["cost"] = [cost_result(cost) for cost in cost_sheet(result["rows"])] if complete else []
    result["machine"]["steal"] = machine.steal(ticks, machine.cpu_ticks())
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


class _RowProgress:
    """Shows the row that is measured, what it does, and the line of each row that is over."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._row = ""

    def begin(self, row: str) -> None:
        """Set the row of the next details."""
        self._row = row
        self._bar.describe(row)

    def report(self, detail: str) -> None:
        """Show what the row does now."""
        self._bar.describe(f"{self._row}: {detail}")

    def end(self, line: str) -> None:
        """Count the row and print its line."""
        self._bar.print(line)
        self._bar.advance()


def _run_row(row: Row, context: RunContext, progress: _RowProgress) -> dict[str, Any]:
    progress.begin(row.id)
    result = row_result(row, _outcome(row, context))
    progress.end(row_line(result))
    return result


def _outcome(row: Row, context: RunContext) -> Outcome:
    missing = [program for program in row.needs if not shutil.which(program)]
    if missing:
        how = "; ".join(INSTALL.get(program, f"install {program}") for program in missing)
        return Outcome(verdict="not run", reason=f"{', '.join(missing)} is missing: {how}")
    try:
        return measure(row, context)
    except Exception as error:  # noqa: BLE001  (of any kind: the other rows take an hour)
        traceback.print_exc()
        return Outcome(verdict="failed", reason=f"{type(error).__name__}: {error}")


def _run_growth(context: RunContext, progress: _RowProgress) -> list[dict[str, Any]]:
    progress.begin("growth")
    results = [growth_result(growth) for growth in measure_growth(ROWS, context)]
    progress.end(f"growth  {len(results)} rows")
    return results
