"""How a row is measured: in turns, its result proved first, judged by the median ratio.

The machine is shared and its rates change twofold within minutes, so a rate is never compared with
one of another minute. Each round gives the ratio of two neighbours, and no round is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from bench.rows.row import Better, Check, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from stack.terminal import Report

MIN_ROUNDS = 3
MAX_ROUNDS = 7
"""The number of rounds if the ratios of the first ones differ by more than SPREAD."""
SPREAD = 1.3
"""max ÷ min of the ratios above which MIN_ROUNDS are too few."""

Verdict = Literal["met", "missed", "unclear", "checked", "WRONG", "void", "not run", "failed"]
"""`checked`: a quick run, which judges no time. `failed`: the row raised an exception."""

FAILURES: tuple[Verdict, ...] = ("WRONG", "failed")
"""Verdicts that make a run exit with 1. A missed target does not: it is a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Both sides, one right after the other. `order` is AB if ours was first, else BA."""

    ours: float
    against: float
    ratio: float
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a row. Without rounds it has no ratio, and `reason` explains that."""

    verdict: Verdict
    reason: str = ""
    rounds: Sequence[Round] = ()
    check: Check | None = None
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    context: Mapping[str, float | str] = field(default_factory=dict)
    sizes: Mapping[str, float | str] = field(default_factory=dict)


def measure(row: Row, run: RunContext) -> Outcome:
    """Open a row, prove its result, measure and judge it."""
    run.report("opening")
    with row.open(run) as sides:
        return _measure_sides(row, sides, quick=run.quick, report=run.report)


def _measure_sides(row: Row, sides: Sides, *, quick: bool, report: Report) -> Outcome:
    report("warm-up round")
    _run_round(sides, ours_first=True)
    report("checking its result")
    check = sides.check()
    if quick or not check.passed:
        verdict: Verdict = "checked" if check.passed else "WRONG"
        return Outcome(verdict=verdict, check=check, sizes=sides.sizes)
    rounds, pairs = _run_rounds(sides, report)
    report("checking its result again")
    check = sides.check()
    if not check.passed:
        return Outcome(verdict="WRONG", check=check, sizes=sides.sizes)
    if void := sides.void():
        return Outcome(verdict="void", reason=void, check=check, sizes=sides.sizes)
    return Outcome(
        verdict=judge([r.ratio for r in rounds], target=row.target, better=row.better),
        rounds=rounds,
        check=check,
        cpu_us=median_cpu_us(pairs),
        context=dict(sides.context()),
        sizes=sides.sizes,
    )


Pair = tuple[Measurement, Measurement]
"""Ours and the counterpart's, of one round."""


def _run_rounds(sides: Sides, report: Report) -> tuple[list[Round], list[Pair]]:
    rounds: list[Round] = []
    pairs: list[Pair] = []
    count = MIN_ROUNDS
    while len(rounds) < count:
        report(f"round {len(rounds) + 1} of {count}")
        ours_first = len(rounds) % 2 == 0
        ours, against = _run_round(sides, ours_first=ours_first)
        pairs.append((ours, against))
        rounds.append(
            Round(
                ours=ours.value,
                against=against.value,
                ratio=ours.value / against.value,
                order="AB" if ours_first else "BA",
            )
        )
        count = rounds_needed([r.ratio for r in rounds])
    return rounds, pairs


def rounds_needed(ratios: Sequence[float]) -> int:
    """The number of all rounds, by the ratios of those so far."""
    if len(ratios) < MIN_ROUNDS:
        return MIN_ROUNDS
    return MAX_ROUNDS if max(ratios) > SPREAD * min(ratios) else len(ratios)


def _run_round(sides: Sides, *, ours_first: bool) -> Pair:
    if ours_first:
        ours = sides.ours()
        return ours, sides.against()
    against = sides.against()
    return sides.ours(), against


def judge(ratios: Sequence[float], *, target: float, better: Better) -> Verdict:
    """`met` or `missed` by the median; `unclear` if the target lies between the ratios."""
    if min(ratios) < target < max(ratios):
        return "unclear"
    middle = median(ratios)
    good = middle >= target if better == "higher" else middle <= target
    return "met" if good else "missed"


def median_cpu_us(pairs: Sequence[Pair]) -> dict[str, float]:
    """Median CPU µs an operation: our processes, the counterpart's, and Redis's for each side."""
    cpu: dict[str, float] = {}
    for index, side in enumerate(("ours", "against")):
        names = {name for pair in pairs for name in pair[index].cpu_us}
        by_name = {n: median([p[index].cpu_us.get(n, 0.0) for p in pairs]) for n in names}
        redis = by_name.pop("redis", None)
        if by_name:
            cpu[side] = sum(by_name.values())
        if redis is not None:
            cpu["redis" if side == "ours" else "redis_against"] = redis
    return cpu
