"""The report of a drill: counts, delivery lag, and every violation with its lines of history."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drill.checking.deadlines import B_SECONDS
from drill.checking.evidence import Evidence
from drill.checking.findings import Findings, Violation
from drill.checking.notice_counts import NoticeCounts, count_notices
from drill.checking.operations import InjectedFault, Operation, injected_faults, operations
from drill.checking.page_shares import PageShares
from drill.history import FAULT, Line

NEIGHBOUR_SECONDS = 2.0
"""Faults within this time of a violation's operations are shown with it."""
NOT_COUNTED = (
    *("walk", "watch", "log", "list", "healed", "struck", "sources"),
    *("stream", "event", "push", "refusals", "activity", "greedy"),
)
"""Operations that are no single request."""
QUANTILES = {"p50": 0.5, "p99": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All numbers of one drill; report.json has these fields."""

    seed: int
    seconds: float
    control: str
    acknowledged: int
    operations: dict[str, dict[str, int]]
    """By op, then by phase."""
    codes: dict[str, int]
    """Unsuccessful responses by status and code."""
    faults: dict[str, int]
    cases: dict[str, int]
    """Injected faults by case of docs/promises.md."""
    faults_failed: dict[str, str]
    """Faults that could not be injected, with the error."""
    lag: dict[str, float]
    """Seconds from a post's 201 until a follower's feed showed it."""
    lag_over_b: int
    drain_seconds: float
    work: dict[str, float]
    """The product's own counters."""
    reads_checked: int
    exceptions: dict[str, int]
    exceptions_longest: dict[str, float]
    violations: list[dict[str, Any]]
    pages: PageShares
    notices: NoticeCounts
    tick_lag: dict[str, float]
    """Seconds from a post's 201 until a live stream told a follower."""
    greedy: dict[str, int]
    """Requests of the greedy accounts, by act and status; empty without them."""
    shortfalls: list[str]
    """Why the drill has tested too little of what people use, a sentence each."""

    @property
    def sound(self) -> bool:
        """Whether no promise was broken, every fault could be injected, and enough was tested."""
        return not (self.violations or self.faults_failed or self.shortfalls)

    def save(self, path: Path) -> None:
        """Write the report as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def build_report(
    lines: Sequence[Line],
    findings: Findings,
    shares: PageShares,
    *,
    seed: int,
    seconds: float,
    control: str,
    counters: Mapping[str, float],
) -> Report:
    """The report of a history, of what its check has found and of where its pages came from."""
    all_ops = operations(lines)
    ops = [op for op in all_ops if op.op not in NOT_COUNTED and not op.facts.get("old")]
    faults = injected_faults(lines)
    lags = sorted(op.facts["lag"] for op in all_ops if op.op == "watch" and op.phase == "ok")
    notices = count_notices(Evidence(lines))
    drains = [op.facts["seconds"] for op in ops if op.op == "drained"]
    return Report(
        seed=seed,
        seconds=seconds,
        control=control,
        acknowledged=sum(1 for op in ops if op.phase == "ok" and not op.facts.get("final")),
        operations=_operation_counts(ops),
        codes=_code_counts(ops),
        faults=dict(Counter(fault.name for fault in faults if not fault.error).most_common()),
        cases=_case_counts(faults),
        faults_failed={fault.name: fault.error for fault in faults if fault.error},
        lag=_lag_quantiles(lags),
        lag_over_b=sum(1 for lag in lags if lag > B_SECONDS),
        drain_seconds=max(drains, default=math.nan),
        work=dict(counters),
        reads_checked=findings.reads,
        exceptions=dict(findings.exceptions),
        exceptions_longest={name: round(value, 1) for name, value in findings.longest.items()},
        violations=[_with_lines(violation, lines) for violation in findings.violations],
        pages=shares,
        notices=notices,
        tick_lag=_lag_quantiles(notices.tick_lag),
        greedy=dict(sorted(_answers_of_greedy(all_ops).items())),
        shortfalls=[*shares.shortfalls(seconds), *notices.shortfalls(seconds)],
    )


def _answers_of_greedy(ops: Iterable[Operation]) -> dict[str, int]:
    return next((op.facts["answers"] for op in ops if op.op == "greedy"), {})


def _operation_counts(ops: Iterable[Operation]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for op in ops:
        counts[op.op][op.phase] += 1
    return {op: dict(by_phase) for op, by_phase in sorted(counts.items())}


def _code_counts(ops: Iterable[Operation]) -> dict[str, int]:
    codes = Counter(
        f"{op.facts.get('status')} {op.facts.get('code') or op.facts.get('error', '')}".strip()
        for op in ops
        if op.phase != "ok" and "status" in op.facts
    )
    return dict(codes.most_common())


def _case_counts(faults: Iterable[InjectedFault]) -> dict[str, int]:
    cases = Counter(case for fault in faults if not fault.error for case in fault.cases)
    return {str(case): cases[case] for case in sorted(cases)}


def _lag_quantiles(lags: Sequence[float]) -> dict[str, float]:
    """`lags` in order."""
    if not lags:
        return {"count": 0}
    last = len(lags) - 1
    quantiles = {name: lags[min(last, int(q * len(lags)))] for name, q in QUANTILES.items()}
    return {"count": len(lags), **quantiles, "max": lags[-1]}


def _with_lines(violation: Violation, lines: Iterable[Line]) -> dict[str, Any]:
    """The violation with the lines of the operations that prove it and of the faults near them."""
    numbers = set(violation.numbers)
    proof = [line for line in lines if line.number in numbers and line.session != FAULT]
    times = [line.at for line in proof] or [violation.at]
    faults = [
        line
        for line in lines
        if line.session == FAULT and any(abs(line.at - at) < NEIGHBOUR_SECONDS for at in times)
    ]
    both = sorted([*proof, *faults], key=lambda line: line.at)
    return asdict(violation) | {"lines": [asdict(line) for line in both]}
