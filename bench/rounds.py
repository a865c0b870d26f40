"""How a row is measured: in turns, proved before it is timed, and judged by its median.

A machine is shared and its rates move twofold within minutes, so no rate is compared with one of
another minute: each round gives one ratio of two neighbours, and no round is dropped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from bench.rows.row import Better, Check, Measured, Row, Sides, Sizes

ROUNDS = 3
"""The fewest rounds that are timed."""
MANY_ROUNDS = 7
"""Where the ratios of the first rounds lie further apart than SPREAD."""
SPREAD = 1.3
"""max ÷ min of the ratios above which three rounds say too little."""

Verdict = Literal["met", "missed", "unclear", "checked", "WRONG", "void", "not run", "failed"]
"""`checked`: a quick run, which judges no time. `failed`: the row itself broke."""

FAILING: tuple[Verdict, ...] = ("WRONG", "failed")
"""What makes a run exit 1. A target that is missed does not: it is a finding."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Both sides, one right after the other. `order` says which came first: A is ours."""

    ours: float
    against: float
    ratio: float
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a row. Without rounds there is no ratio, and `reason` says why."""

    verdict: Verdict
    reason: str = ""
    rounds: Sequence[Round] = ()
    check: Check | None = None
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    context: Mapping[str, float | str] = field(default_factory=dict)
    sizes: Mapping[str, float | str] = field(default_factory=dict)


def measured(row: Row, sizes: Sizes, *, say: Say) -> Outcome:
    """The row, made ready, proved, timed and judged."""
    say("gets ready")
    with row.ready(sizes) as sides:
        return _in_turns(row, sides, quick=sizes.quick, say=say)


def _in_turns(row: Row, sides: Sides, *, quick: bool, say: Say) -> Outcome:
    say("warm-up round")
    _round(sides, ours_first=True)
    say("proves its result")
    check = sides.check()
    if quick or not check.passed:
        verdict: Verdict = "checked" if check.passed else "WRONG"
        return Outcome(verdict=verdict, check=check, sizes=sides.sizes)
    rounds, cpu = _rounds(sides, say)
    say("proves its result once more")
    check = sides.check()
    if not check.passed:
        return Outcome(verdict="WRONG", check=check, sizes=sides.sizes)
    if void := sides.void():
        return Outcome(verdict="void", reason=void, check=check, sizes=sides.sizes)
    return Outcome(
        verdict=verdict_of([r.ratio for r in rounds], target=row.target, better=row.better),
        rounds=rounds,
        check=check,
        cpu_us=cpu_of(cpu),
        context=dict(sides.context()),
        sizes=sides.sizes,
    )


def _rounds(sides: Sides, say: Say) -> tuple[list[Round], list[tuple[Measured, Measured]]]:
    rounds: list[Round] = []
    pairs: list[tuple[Measured, Measured]] = []
    wanted = ROUNDS
    while len(rounds) < wanted:
        say(f"round {len(rounds) + 1} of {wanted}")
        ours_first = len(rounds) % 2 == 0
        ours, against = _round(sides, ours_first=ours_first)
        pairs.append((ours, against))
        rounds.append(
            Round(
                ours=ours.value,
                against=against.value,
                ratio=ours.value / against.value,
                order="AB" if ours_first else "BA",
            )
        )
        wanted = rounds_wanted([r.ratio for r in rounds])
    return rounds, pairs


def rounds_wanted(ratios: Sequence[float]) -> int:
    """How many rounds there must be in the end, by the ratios of those so far."""
    if len(ratios) < ROUNDS:
        return ROUNDS
    return MANY_ROUNDS if max(ratios) > SPREAD * min(ratios) else len(ratios)


def _round(sides: Sides, *, ours_first: bool) -> tuple[Measured, Measured]:
    if ours_first:
        ours = sides.ours()
        return ours, sides.against()
    against = sides.against()
    return sides.ours(), against


def verdict_of(ratios: Sequence[float], *, target: float, better: Better) -> Verdict:
    """Met or missed by the median, unclear where the target lies among the ratios."""
    if min(ratios) < target < max(ratios):
        return "unclear"
    middle = median(ratios)
    good = middle >= target if better == "higher" else middle <= target
    return "met" if good else "missed"


def cpu_of(pairs: Sequence[tuple[Measured, Measured]]) -> dict[str, float]:
    """Median CPU µs an operation: our process, the other one, and Redis serving either."""
    cpu: dict[str, float] = {}
    for at, side in enumerate(("ours", "against")):
        names = {name for pair in pairs for name in pair[at].cpu_us}
        by_name = {n: median([p[at].cpu_us.get(n, 0.0) for p in pairs]) for n in names}
        redis = by_name.pop("redis", None)
        if by_name:
            cpu[side] = sum(by_name.values())
        if redis is not None:
            cpu["redis" if side == "ours" else "redis_against"] = redis
    return cpu
