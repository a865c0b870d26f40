"""All rows, in the order in which they are run and printed; and what a whole run adds to them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bench import growth
from bench.report import cost
from bench.report.results import Cost, Growth
from bench.rows import fan_out as fanout_rows
from bench.rows import graph_pages as graph_page_rows
from bench.rows import lags as lag_rows
from bench.rows import pages as page_rows
from bench.rows import photos as photo_rows
from bench.rows import streams as stream_rows
from bench.rows import timelines as timeline_rows
from bench.rows import writes as write_rows
from bench.rows.row import Row, Sizes
from bench.stage import stage

LARGEST: tuple[Row, ...] = (fanout_rows.LARGEST, *lag_rows.LARGEST)
"""Rows of a million followers, where the town has them."""

ROWS: tuple[Row, ...] = (
    *timeline_rows.ROWS,
    *stream_rows.ROWS,
    *photo_rows.ROWS,
    *page_rows.ROWS,
    *graph_page_rows.ROWS,
    *write_rows.ROWS,
    *fanout_rows.ROWS,
    *lag_rows.ROWS,
    *(LARGEST if stage.USERS >= stage.LARGE else ()),
)

GROWTH: Callable[[Sizes], Sequence[Growth]] | None = partial(growth.measure, ROWS)
"""Measures some of the rows at three sizes of graph: `--growth`."""

COSTS: Callable[[Sequence[Mapping[str, Any]]], Sequence[Cost]] | None = cost.sheet
"""Computes the cost sheet from the rows of a run, as they stand in the result file."""


def chosen(names: str) -> list[Row]:
    """The rows of these ids, parted by commas; `F3` takes F3@25k too, `none` no row.

    Raises LookupError.
    """
    if names == "none":
        return []
    wanted = [name for name in names.replace(" ", "").split(",") if name]
    known = {row.id for row in ROWS} | {row.id.partition("@")[0] for row in ROWS}
    if unknown := [name for name in wanted if name not in known]:
        raise LookupError(f"There is no row {', '.join(unknown)}; there are {' '.join(ids())}.")
    return [row for row in ROWS if not wanted or {row.id, row.id.partition("@")[0]} & set(wanted)]


def ids() -> list[str]:
    """The ids of all rows."""
    return [row.id for row in ROWS]
