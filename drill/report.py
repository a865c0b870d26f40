"""What a drill has shown: counted, written as JSON, and told in a page of text."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drill.checking.model import Operation, faults, operations
from drill.checking.reads import B_SECONDS, Findings, Violation
from drill.history import FAULT, Line

SHOWN = 12
"""Violations told whole; the others are in the files."""
NEIGHBOURS_SECONDS = 2.0
"""Faults so near to a violation are told with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All numbers of one drill."""

    seed: int
    seconds: float
    control: str
    acknowledged: int
    operations: dict[str, dict[str, int]]
    """By op, then by outcome."""
    codes: dict[str, int]
    faults: dict[str, int]
    cases: dict[str, int]
    faults_failed: dict[str, str]
    lag: dict[str, float]
    lag_over_b: int
    drain_seconds: float
    work: dict[str, float]
    reads_checked: int
    exceptions: dict[str, int]
    exceptions_longest: dict[str, float]
    violations: list[dict[str, Any]]

    @property
    def sound(self) -> bool:
        """Nothing violated, and every fault could be injected."""
        return not self.violations and not self.faults_failed

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def report(
    lines: Sequence[Line],
    findings: Findings,
    *,
    seed: int,
    seconds: float,
    control: str,
    work: Mapping[str, float],
) -> Report:
    """The report of a history that has been checked."""
    ops = [
        one
        for one in operations(lines)
        if one.op not in ("walk", "watch", "log", "list", "healed", "struck")
    ]
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for one in ops:
        counted[one.op][one.phase] += 1
    injected = faults(lines)
    drains = [one.facts["seconds"] for one in ops if one.op == "drained"]
    lags = sorted(
        one.facts["lag"] for one in operations(lines) if one.op == "watch" and one.phase == "ok"
    )
    return Report(
        seed=seed,
        seconds=seconds,
        control=control,
        acknowledged=sum(1 for one in ops if one.phase == "ok" and not one.facts.get("final")),
        operations={op: dict(by) for op, by in sorted(counted.items())},
        codes=dict(_codes(ops).most_common()),
        faults=dict(Counter(one.name for one in injected if not one.failed).most_common()),
        cases=_cases(injected),
        faults_failed={one.name: one.failed for one in injected if one.failed},
        lag=_lag(lags),
        lag_over_b=sum(1 for lag in lags if lag > B_SECONDS),
        drain_seconds=max(drains, default=math.nan),
        work=dict(work),
        reads_checked=findings.reads,
        exceptions=dict(findings.exceptions),
        exceptions_longest={k: round(v, 1) for k, v in findings.longest.items()},
        violations=[_with_slice(one, lines) for one in findings.violations],
    )


def _codes(ops: Iterable[Operation]) -> Counter[str]:
    """What was answered that was no success."""
    return Counter(
        f"{one.facts.get('status')} {one.facts.get('code') or one.facts.get('error', '')}".strip()
        for one in ops
        if one.phase != "ok" and "status" in one.facts
    )


def _cases(injected: Iterable[Any]) -> dict[str, int]:
    cases = Counter(case for one in injected if not one.failed for case in one.cases)
    return {str(case): cases[case] for case in sorted(cases)}


def _lag(lags: Sequence[float]) -> dict[str, float]:
    if not lags:
        return {"count": 0}
    at = {"p50": 0.5, "p99": 0.99}
    quantiles = {name: lags[min(len(lags) - 1, int(q * len(lags)))] for name, q in at.items()}
    return {"count": len(lags), **quantiles, "max": lags[-1]}


def _with_slice(violation: Violation, lines: Iterable[Line]) -> dict[str, Any]:
    """The violation and the lines of the operations that prove it, with the faults around it."""
    numbers = set(violation.numbers)
    picked = [line for line in lines if line.number in numbers and line.session != FAULT]
    times = [line.at for line in picked] or [violation.at]
    near = [
        line
        for line in lines
        if line.session == FAULT and any(abs(line.at - at) < NEIGHBOURS_SECONDS for at in times)
    ]
    both = sorted([*picked, *near], key=lambda line: line.at)
    return asdict(violation) | {"lines": [asdict(line) for line in both]}


def told(report: Report, folder: Path) -> str:
    """The report as a person reads it; the seed first and last."""
    rows = [
        f"drill of {report.seconds:.0f} s, SEED={report.seed}"
        + (f", CONTROL={report.control}" if report.control else ""),
        "",
        f"operations acknowledged  {report.acknowledged}",
    ]
    for op, by in report.operations.items():
        rows.append(f"  {op:<22} " + "  ".join(f"{k} {v}" for k, v in sorted(by.items())))
    rows.append("answers that were no success")
    rows += [f"  {code:<34} {count}" for code, count in report.codes.items()]
    rows.append(f"faults injected          {sum(report.faults.values())}")
    rows += [f"  {name:<34} {count}" for name, count in report.faults.items()]
    rows += [f"  could not be done: {name}: {why}" for name, why in report.faults_failed.items()]
    rows.append(
        "faults by case           "
        + "  ".join(f"{case}:{count}" for case, count in report.cases.items())
    )
    rows.append("work                     ")
    rows += [f"  {name:<34} {value:g}" for name, value in report.work.items()]
    lag = "  ".join(f"{name} {value:g}" for name, value in report.lag.items())
    rows += [
        f"publish to visible, s    {lag}  (B = {B_SECONDS:g}; above it: {report.lag_over_b})",
        f"time to drain            {report.drain_seconds:g} s",
        f"reads checked            {report.reads_checked}",
        f"exceptions counted       {report.exceptions or 'none'}",
        f"  at the latest after, s   {report.exceptions_longest or 'none'}",
        f"violations               {len(report.violations)}",
    ]
    kinds = Counter(f"{one['promise']} {one['kind']}" for one in report.violations)
    rows += [f"  {kind:<34} {count}" for kind, count in kinds.most_common()]
    for one in report.violations[:SHOWN]:
        rows += ["", f"{one['promise']} {one['kind']} at {one['at']:.2f} s: {one['text']}"]
        rows += [_line(line) for line in one["lines"]]
    rows += ["", f"history and report in {folder}", f"SEED={report.seed}"]
    return "\n".join(rows)


def _line(line: Mapping[str, Any]) -> str:
    facts = {
        key: [post[2] for post in value] if key == "posts" else value
        for key, value in line["facts"].items()
    }
    text = f"  {line['at']:9.3f} {line['session']:<8} {line['op']:<10} {line['phase']:<7} "
    return (text + f"#{line['number']} {facts}")[:600]
