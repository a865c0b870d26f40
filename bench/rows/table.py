"""All rows, in the order in which they are run and printed."""

from bench.rows import (
    backlogs,
    deliveries,
    disturbed_pages,
    fan_out,
    follows,
    graph_pages,
    lags,
    live,
    memory,
    notices,
    pages,
    photos,
    statements,
    streams,
    timelines,
    walks,
    writes,
)
from bench.rows.row import Row
from bench.stage import stage

LARGEST: tuple[Row, ...] = (fan_out.LARGEST, *lags.LARGEST)
"""Rows of a million followers, for a town that has them."""

ROWS: tuple[Row, ...] = (
    *timelines.ROWS,
    *memory.ROWS,
    *streams.ROWS,
    *photos.ROWS,
    *walks.ROWS,
    *notices.ROWS,
    *pages.ROWS,
    *disturbed_pages.ROWS,
    *live.ROWS,
    *graph_pages.ROWS,
    *writes.ROWS,
    *follows.ROWS,
    *statements.ROWS,
    *fan_out.ROWS,
    *deliveries.ROWS,
    *backlogs.ROWS,
    *lags.ROWS,
    *(LARGEST if stage.USERS >= stage.LARGE else ()),
)


def select_rows(names: str) -> list[Row]:
    """The rows of these ids, separated by commas: `F3` selects F3@25k too, `none` no row.

    Without ids all rows. Raises LookupError if there is no row of an id.
    """
    if names == "none":
        return []
    wanted = [name for name in names.replace(" ", "").split(",") if name]
    existing = {row.id for row in ROWS} | {row.id.partition("@")[0] for row in ROWS}
    if unknown := [name for name in wanted if name not in existing]:
        raise LookupError(f"There is no row {', '.join(unknown)}; there are {' '.join(row_ids())}.")
    return [row for row in ROWS if not wanted or {row.id, row.id.partition("@")[0]} & set(wanted)]


def row_ids() -> list[str]:
    """The ids of all rows."""
    return [row.id for row in ROWS]
