"""The report of a drill as text for a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from drill.checking.deadlines import B_SECONDS
from drill.report import Report

SHOWN_VIOLATIONS = 12
"""So many violations are shown in full; report.json has all."""
LINE_CHARACTERS = 600


def render(report: Report, folder: Path) -> str:
    """The text of the report; the seed stands first and last."""
    return "\n".join(
        [
            *_heading(report),
            *_operation_rows(report),
            *_fault_rows(report),
            *_counter_rows(report),
            *_page_rows(report),
            *_notice_rows(report),
            *_greedy_rows(report),
            *_check_rows(report),
            *_violation_rows(report.violations),
            "",
            f"history and report in {folder}",
            f"SEED={report.seed}",
        ]
    )


def _heading(report: Report) -> Iterator[str]:
    control = f", CONTROL={report.control}" if report.control else ""
    yield f"drill of {report.seconds:.0f} s, SEED={report.seed}{control}"
    yield ""


def _operation_rows(report: Report) -> Iterator[str]:
    yield f"operations acknowledged  {report.acknowledged}"
    for op, by_phase in report.operations.items():
        counts = "  ".join(f"{phase} {count}" for phase, count in sorted(by_phase.items()))
        yield f"  {op:<22} {counts}"
    yield "unsuccessful responses"
    yield from _rows(report.codes)


def _fault_rows(report: Report) -> Iterator[str]:
    yield f"faults injected          {sum(report.faults.values())}"
    yield from _rows(report.faults)
    for name, error in report.faults_failed.items():
        yield f"  could not be injected: {name}: {error}"
    cases = "  ".join(f"{case}:{count}" for case, count in report.cases.items())
    yield f"faults by case           {cases}"


def _counter_rows(report: Report) -> Iterator[str]:
    yield "work"
    for name, value in report.work.items():
        yield f"  {name:<34} {value:g}"


def _greedy_rows(report: Report) -> Iterator[str]:
    if report.greedy:
        yield "greedy accounts"
        yield from _rows(report.greedy)


def _page_rows(report: Report) -> Iterator[str]:
    pages = report.pages
    yield f"pages by source          {_counts(pages.by_source)}"
    yield f"  windows, lists, copies {pages.copies_share:.1%}"
    yield f"pages received           {pages.received}"
    yield f"  just changed           {pages.changed}"
    yield (
        f"  and not from the graph {pages.changed_copies} at least, "
        f"{pages.changed_share:.1%} of the pages"
    )
    yield from (f"  too little: {sentence}" for sentence in report.shortfalls)


def _notice_rows(report: Report) -> Iterator[str]:
    yield f"push messages by answer  {_counts(report.notices.messages)}"
    yield f"events of live streams   {_counts(report.notices.events)}"
    yield f"streams by their end     {_counts(report.notices.streams)}"
    yield f"publish to tick, s       {_lag(report.tick_lag)}"


def _check_rows(report: Report) -> Iterator[str]:
    yield f"publish to visible, s    {_lag(report.lag)}"
    yield f"  longer than {B_SECONDS:g} s       {report.lag_over_b}"
    yield f"time to drain            {report.drain_seconds:g} s"
    yield f"reads checked            {report.reads_checked}"
    yield f"exceptions counted       {report.exceptions or 'none'}"
    yield f"  longest, s             {report.exceptions_longest or 'none'}"


def _violation_rows(violations: list[dict[str, Any]]) -> Iterator[str]:
    yield f"violations               {len(violations)}"
    kinds = Counter(f"{violation['promise']} {violation['kind']}" for violation in violations)
    yield from _rows(dict(kinds.most_common()))
    for violation in violations[:SHOWN_VIOLATIONS]:
        yield ""
        yield (
            f"{violation['promise']} {violation['kind']} at {violation['at']:.2f} s: "
            f"{violation['text']}"
        )
        yield from map(_history_row, violation["lines"])


def _history_row(line: Mapping[str, Any]) -> str:
    facts = {
        key: [post[2] for post in value] if key == "posts" else value
        for key, value in line["facts"].items()
    }
    text = f"  {line['at']:9.3f} {line['session']:<8} {line['op']:<10} {line['phase']:<7} "
    return (text + f"#{line['number']} {facts}")[:LINE_CHARACTERS]


def _lag(quantiles: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:g}" for name, value in quantiles.items())


def _counts(counts: Mapping[str, int]) -> str:
    return "  ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _rows(counts: Mapping[str, int]) -> Iterable[str]:
    return (f"  {name:<34} {count}" for name, count in counts.items())
