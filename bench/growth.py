"""How costs grow with users, followees and posts: `make bench GROWTH=1`.

The towns have ten thousand to a million users. In the smallest one, crowds of given numbers of
followees and of posts read pages from the graph.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from bench.report import picture, plans
from bench.report.fitting import fit
from bench.report.results import Growth, growth_result
from bench.rounds import measure
from bench.rows.growth import (
    FOLLOWEES_AXIS,
    FOLLOWEES_TARGET,
    GRAPH_TARGET,
    POSTS_AXIS,
    GrowthRow,
    crowd_rows,
    growth_rows,
)
from bench.rows.row import Row
from bench.rows.table import ROWS
from bench.stage.resources import Resources
from bench.stage.run_context import RunContext
from bench.stage.stage import stage_of
from bench.stage.town import Town
from stack.settings import ROOT

USERS = (10_000, 100_000, 1_000_000)
"""Sizes of the towns."""
MIN_SIZES = 2
"""Fewest sizes that show growth."""


def measure_growth(
    rows: Sequence[Row], run: RunContext, users: Sequence[int] = USERS
) -> list[Growth]:
    """The growth of the rows' costs over towns of these sizes, and of the statements' plans.

    Raises RuntimeError if a row's result is wrong, ValueError for fewer than MIN_SIZES.
    """
    if len(users) < MIN_SIZES:
        raise ValueError("growth takes two sizes or more")
    measured_rows = growth_rows(rows)
    points: dict[str, list[tuple[float, float]]] = {
        growth_row.row.id: [] for growth_row in measured_rows
    }
    operators: list[dict[str, list[str]]] = []
    for count in users:
        with Resources() as resources:
            town_run = replace(run, resources=resources, quick=False)
            resources.open_once("town", partial(nullcontext, Town(count, run.seed)))
            operators.append(plans.operator_names(stage_of(town_run).graph))
            for growth_row in measured_rows:
                points[growth_row.row.id] += [
                    (count, cost) for cost in _costs(growth_row.row, town_run)
                ]
            if count == min(users):
                by_crowd = measure_crowds(rows, town_run)
    growths = [_growth(growth_row, points[growth_row.row.id]) for growth_row in measured_rows]
    return [*growths, *by_crowd, _plan_growth(users, operators)]


def measure_crowds(rows: Sequence[Row], run: RunContext) -> list[Growth]:
    """The growth of a graph page's cost by followees, and by posts of each, in one town."""
    axes = (
        ("R7 by followees", FOLLOWEES_TARGET, FOLLOWEES_AXIS, "followees"),
        ("R7 by posts of each", GRAPH_TARGET, POSTS_AXIS, "posts"),
    )
    growths = []
    for name, target, crowds, field in axes:
        points = [
            (float(getattr(crowd, field)), cost)
            for crowd, row in zip(crowds, crowd_rows(rows, crowds), strict=True)
            for cost in _costs(row, run)
        ]
        growth_row = GrowthRow(row=replace(rows[0], id=name), target=target)
        growths.append(_growth(growth_row, points))
    return growths


def _costs(row: Row, run: RunContext) -> list[float]:
    """The row's cost in each round, as a multiple of its counterpart's."""
    outcome = measure(row, run)
    if not outcome.rounds:
        raise RuntimeError(f"{row.id}: {outcome.verdict} {outcome.reason} {outcome.check}")
    ratios = [one_round.ratio for one_round in outcome.rounds]
    print(row.id, [round(ratio, 3) for ratio in ratios], file=sys.stderr, flush=True)
    return [1 / ratio for ratio in ratios] if row.better == "higher" else ratios


def _growth(growth_row: GrowthRow, points: Sequence[tuple[float, float]]) -> Growth:
    fitted = fit(points)
    return Growth(
        row=growth_row.row.id,
        points=points,
        exponent=fitted.exponent,
        interval=(fitted.low, fitted.high),
        target=growth_row.target,
        verdict=fitted.verdict(growth_row.target),
    )


def _plan_growth(users: Sequence[int], operators: Sequence[dict[str, list[str]]]) -> Growth:
    """Whether every statement has the same plan at all sizes.

    A point's cost is 1 plus the number of statements whose plan differs from the smallest town's.
    """
    differences = [different_plans(operators[0], of_size) for of_size in operators]
    for count, names in zip(users, differences, strict=True):
        if names:
            print(f"at {count:,} users other plans: {', '.join(names)}", file=sys.stderr)
    return Growth(
        row=f"plans of {len(operators[0])} statements",
        points=[(count, 1.0 + len(names)) for count, names in zip(users, differences, strict=True)],
        exponent=0.0,
        interval=(0.0, 0.0),
        target=0.0,
        verdict="missed" if any(differences) else "met",
    )


def different_plans(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """The statements whose plans differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def main(arguments: list[str]) -> int:
    """Measure growth alone at some sizes, print it, and write it with its picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, USERS)), help="numbers of users")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a side of a round")
    options = parser.parse_args(arguments)
    users = [int(word) for word in options.sizes.split(",")]
    run = RunContext(quick=False, seed=options.seed, seconds=options.seconds)
    growths = [growth_result(growth) for growth in measure_growth(ROWS, run, users)]
    path = ROOT / "bench" / "results" / "growth.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(growths, indent=1) + "\n")
    path.with_suffix(".svg").write_text(picture.svg(growths))
    for growth in growths:
        low, high = growth["interval"]
        print(
            f"{growth['row']:24} b = {growth['exponent']:+.3f} ({low:+.3f}..{high:+.3f}) "
            f"target {growth['target']} {growth['verdict']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
