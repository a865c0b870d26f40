"""A result file as tables: Markdown for a page, plain text for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report.results import Result

MARKS = {name: (f"<!-- {name}:begin -->", f"<!-- {name}:end -->") for name in ("bench", "growth")}
"""A page has the tables of rows, and of growth, between these marks."""

Cells = Sequence[str]

HEAD = ("row", "ours : against", "ratio", "target", "verdict", "proved")
DETAILS_HEAD = ("ours", "against", "CPU µs", "context")
GROWTH_HEAD = ("growth", "exponent (95 %)", "target", "verdict", "points")
COST_HEAD = ("cost", "value", "unit", "from")


def terminal(result: Result) -> str:
    """The rows, one a line, then their details, growth and costs."""
    rows = [_row_cells(row) for row in result["rows"]]
    parts = [align([HEAD, *rows])]
    notes = [f"{row['id']}: {note}" for row in result["rows"] if (note := _note(row))]
    if notes:
        parts.append("\n".join(notes))
    if result["growth"]:
        parts.append(align([GROWTH_HEAD, *map(_growth_cells, result["growth"])]))
    if result["cost"]:
        parts.append(align([COST_HEAD, *map(_cost_cells, result["cost"])]))
    return "\n\n".join([_run_line(result), *parts])


def markdown(result: Result) -> str:
    """Markdown tables of rows, costs and growth."""
    return "\n\n".join([_run_line(result), *_row_tables(result), *_growth_tables(result)]) + "\n"


def update_page(page: Path, result: Result) -> None:
    """Replace the tables between the page's marks by those that the result has.

    The page's table of rows has no details: the result file has them. Raises ValueError if the
    page has no such marks.
    """
    rows = _row_tables(result, details=False)
    for name, tables in (("bench", rows), ("growth", _growth_tables(result))):
        if tables:
            _replace_between(page, *MARKS[name], "\n\n".join([_run_line(result), *tables]))


def _replace_between(page: Path, begin: str, end: str, text: str) -> None:
    before, has_begin, rest = page.read_text().partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"{page} has no {begin} … {end}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _row_tables(result: Result, *, details: bool = True) -> list[str]:
    rows = result["rows"]
    if not rows:
        return []
    if details:
        cells = [(*_row_cells(row), *_detail_cells(row)) for row in rows]
        parts = [_markdown_table((*HEAD, *DETAILS_HEAD), cells)]
    else:
        proof = HEAD.index("proved")
        parts = [_markdown_table(HEAD[:proof], [_row_cells(row)[:proof] for row in rows])]
    reasons = [f"- **{row['id']}**: {row['reason']}" for row in rows if row["reason"]]
    if reasons:
        parts.append("\n".join(reasons))
    if result["cost"]:
        parts.append(_markdown_table(COST_HEAD, map(_cost_cells, result["cost"])))
    return parts


def _growth_tables(result: Result) -> list[str]:
    if not result["growth"]:
        return []
    return [_markdown_table(GROWTH_HEAD, map(_growth_cells, result["growth"]))]


def row_line(row: Mapping[str, Any]) -> str:
    """A row in one line, printed when it is over."""
    return "  ".join(cell for cell in _row_cells(row) if cell) + (
        f"  ({row['reason']})" if row["reason"] else ""
    )


def format_ratio(row: Mapping[str, Any]) -> str:
    """Median (min..max); empty for a row without ratio."""
    if row["median"] is None:
        return ""
    low, high = format_number(row["min"]), format_number(row["max"])
    return f"{format_number(row['median'])} ({low}..{high})"


def format_number(value: float) -> str:
    """Three significant digits; from 1,000 on whole, with separators."""
    if abs(value) >= 1000:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}"


def align(rows: Sequence[Cells]) -> str:
    """Lines of cells in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _row_cells(row: Mapping[str, Any]) -> Cells:
    sign = "≥" if row["better"] == "higher" else "≤"
    check = row["check"]
    proof = f"{check['count']:,} {check['what']}" if check else ""
    return (
        row["id"],
        row["title"],
        format_ratio(row),
        f"{sign} {format_number(row['target'])}",
        row["verdict"],
        proof,
    )


def _detail_cells(row: Mapping[str, Any]) -> Cells:
    """Figures that are not judged: both sides of the median round, CPU time, context."""
    rounds = sorted(row["rounds"], key=lambda one_round: one_round["ratio"])
    middle = rounds[len(rounds) // 2] if rounds else None
    unit = row["unit"]
    return (
        f"{format_number(middle['ours'])} {unit}" if middle else "",
        f"{format_number(middle['against'])} {unit}" if middle else "",
        ", ".join(f"{name} {format_number(value)}" for name, value in row["cpu_us"].items()),
        "; ".join(f"{name} {_context_value(value)}" for name, value in row["context"].items()),
    )


def _note(row: Mapping[str, Any]) -> str:
    if row["reason"]:
        return str(row["reason"])
    ours, against, cpu, context = _detail_cells(row)
    rates = f"{ours} : {against}" if ours else ""
    return "; ".join(part for part in (rates, f"CPU µs {cpu}" if cpu else "", context) if part)


def _context_value(value: float | str) -> str:
    return value if isinstance(value, str) else format_number(value)


def _growth_cells(growth: Mapping[str, Any]) -> Cells:
    low, high = growth["interval"]
    return (
        growth["row"],
        f"{growth['exponent']:.3f} ({low:.3f}..{high:.3f})",
        f"≤ {growth['target']}",
        growth["verdict"],
        str(len(growth["points"])),
    )


def _cost_cells(cost: Mapping[str, Any]) -> Cells:
    return (cost["item"], format_number(cost["value"]), cost["unit"], cost["from"])


def _run_line(result: Result) -> str:
    """When, of which commit and on which machine the run was."""
    machine = result["machine"]
    dirty = " with changes" if result["dirty"] else ""
    return (
        f"{result['started']}, commit {result['commit']}{dirty}, seed {result['seed']},"
        f" {result['seconds']:.0f} s; {machine['cpu']}, {machine['cores']} cores,"
        f" {machine['ram']} GB, load {machine['load']}, steal {machine['steal']} %"
    )


def _markdown_table(head: Cells, rows: Iterable[Cells]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '·') for cell in cells)} |" for cells in lines
    )
