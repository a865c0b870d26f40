"""A result file as tables: Markdown for a page, plain text for a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report.results import Result

MARKS = {name: (f"<!-- {name}:begin -->", f"<!-- {name}:end -->") for name in ("bench", "growth")}
"""Between these a page holds the rows of a result file, and its growth."""

Cells = Sequence[str]

HEAD = ("row", "ours : against", "ratio", "target", "verdict", "proved")
MORE = ("ours", "against", "CPU µs", "context")


def terminal(result: Result) -> str:
    """The rows, one a line, with what stands beside them below."""
    rows = [_row(one) for one in result["rows"]]
    parts = [_aligned([HEAD, *rows])]
    notes = [f"{one['id']}: {note}" for one in result["rows"] if (note := _note(one))]
    if notes:
        parts.append("\n".join(notes))
    if result["growth"]:
        parts.append(_aligned([GROWTH_HEAD, *map(_growth, result["growth"])]))
    if result["cost"]:
        parts.append(_aligned([COST_HEAD, *map(_cost, result["cost"])]))
    return "\n\n".join([_where(result), *parts])


def markdown(result: Result) -> str:
    """The same as Markdown tables."""
    return "\n\n".join([_where(result), *_rows_of(result), *_growth_of(result)]) + "\n"


def write_into(page: Path, result: Result) -> None:
    """Puts what the result has of rows and of growth between the page's marks for it.

    Raises ValueError where it has none.
    """
    for name, tables in (("bench", _rows_of(result)), ("growth", _growth_of(result))):
        if tables:
            _write_between(page, *MARKS[name], "\n\n".join([_where(result), *tables]))


def _write_between(page: Path, begin: str, end: str, text: str) -> None:
    before, found, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{page} has no {begin} … {end}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _rows_of(result: Result) -> list[str]:
    if not result["rows"]:
        return []
    parts = [_table((*HEAD, *MORE), [(*_row(one), *_beside(one)) for one in result["rows"]])]
    reasons = [f"- **{one['id']}**: {one['reason']}" for one in result["rows"] if one["reason"]]
    if reasons:
        parts.append("\n".join(reasons))
    if result["cost"]:
        parts.append(_table(COST_HEAD, map(_cost, result["cost"])))
    return parts


def _growth_of(result: Result) -> list[str]:
    return [_table(GROWTH_HEAD, map(_growth, result["growth"]))] if result["growth"] else []


def line(row: Mapping[str, Any]) -> str:
    """One row in a line, said when it is over."""
    return "  ".join(cell for cell in _row(row) if cell) + (
        f"  ({row['reason']})" if row["reason"] else ""
    )


def ratio(row: Mapping[str, Any]) -> str:
    """Median (min..max), or nothing where none may be printed."""
    if row["median"] is None:
        return ""
    return f"{number(row['median'])} ({number(row['min'])}..{number(row['max'])})"


def number(value: float) -> str:
    """Three digits that matter, thousands set apart."""
    if abs(value) >= 1000:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}"


GROWTH_HEAD = ("growth", "exponent (95 %)", "target", "verdict", "points")
COST_HEAD = ("cost", "value", "unit", "from")


def _row(row: Mapping[str, Any]) -> Cells:
    sign = "≥" if row["better"] == "higher" else "≤"
    check = row["check"]
    proved = f"{check['count']:,} {check['what']}" if check else ""
    return (
        row["id"],
        row["title"],
        ratio(row),
        f"{sign} {number(row['target'])}",
        row["verdict"],
        proved,
    )


def _beside(row: Mapping[str, Any]) -> Cells:
    """What stands beside a ratio and is judged by nobody."""
    rounds = sorted(row["rounds"], key=lambda one: one["ratio"])
    middle = rounds[len(rounds) // 2] if rounds else None
    unit = row["unit"]
    return (
        f"{number(middle['ours'])} {unit}" if middle else "",
        f"{number(middle['against'])} {unit}" if middle else "",
        ", ".join(f"{name} {number(value)}" for name, value in row["cpu_us"].items()),
        "; ".join(f"{name} {_value(value)}" for name, value in row["context"].items()),
    )


def _note(row: Mapping[str, Any]) -> str:
    if row["reason"]:
        return str(row["reason"])
    ours, against, cpu, context = _beside(row)
    rates = f"{ours} : {against}" if ours else ""
    return "; ".join(part for part in (rates, f"CPU µs {cpu}" if cpu else "", context) if part)


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)


def _growth(growth: Mapping[str, Any]) -> Cells:
    low, high = growth["interval"]
    return (
        growth["row"],
        f"{growth['exponent']:.3f} ({low:.3f}..{high:.3f})",
        f"≤ {growth['target']}",
        growth["verdict"],
        str(len(growth["points"])),
    )


def _cost(cost: Mapping[str, Any]) -> Cells:
    return (cost["item"], number(cost["value"]), cost["unit"], cost["from"])


def _where(result: Result) -> str:
    machine = result["machine"]
    dirty = " with changes" if result["dirty"] else ""
    return (
        f"{result['started']}, commit {result['commit']}{dirty}, seed {result['seed']},"
        f" {result['seconds']:.0f} s; {machine['cpu']}, {machine['cores']} cores,"
        f" {machine['ram']} GB, load {machine['load']}, steal {machine['steal']} %"
    )


def _table(head: Cells, rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '·') for cell in one)} |" for one in lines)


def _aligned(rows: Sequence[Cells]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    cells = ([cell.ljust(width) for cell, width in zip(r, widths, strict=True)] for r in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells)
