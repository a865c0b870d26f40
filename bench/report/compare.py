"""Two result files side by side."""

from bench.report.results import Result
from bench.report.tables import number, ratio


def compared(a: Result, b: Result) -> str:
    """Each row of either: both ratios, both verdicts, and what the medians did."""
    rows_a = {row["id"]: row for row in a["rows"]}
    rows_b = {row["id"]: row for row in b["rows"]}
    lines = [("row", f"A {a['commit']}", f"B {b['commit']}", "B ÷ A", "A", "B")]
    for name in dict.fromkeys([*rows_a, *rows_b]):
        one, other = rows_a.get(name), rows_b.get(name)
        lines.append(
            (
                name,
                ratio(one) if one else "",
                ratio(other) if other else "",
                _change(one and one["median"], other and other["median"]),
                one["verdict"] if one else "",
                other["verdict"] if other else "",
            )
        )
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    cells = ([c.ljust(width) for c, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in cells)


def _change(a: float | None, b: float | None) -> str:
    return number(b / a) if a and b else ""
