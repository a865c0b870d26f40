"""The type of a row: two sides measured in turns, after their results have been proved right."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A proof of a row's result: how many things were checked, and whether all are right."""

    what: str
    count: int
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """An open row: its two sides, and the check that both have done the work."""

    ours: Callable[[], Measurement]
    against: Callable[[], Measurement]
    check: Callable[[], Check]
    void: Callable[[], str | None] = lambda: None
    """Called after the rounds: why they give no ratio (such as a client too slow), or None."""
    context: Callable[[], Mapping[str, float | str]] = dict
    """Further figures, shown beside the row and not judged."""
    sizes: Mapping[str, float | str] = field(default_factory=dict)
    """The amounts of this run, such as `lists` or `entries`, for the result file."""


OpenSides = Callable[[RunContext], AbstractContextManager[Sides]]
"""Opens what a row needs, at the sizes of the run, and closes it afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row. The ratio of a round is ours ÷ against; for costs (such as seconds) lower is better.

    A row of several sizes or audiences is several rows: `F3@25k`, `F3@100k`.
    """

    id: str
    title: str
    unit: str
    target: float
    better: Better
    open: OpenSides
    needs: Sequence[str] = ()
    """Programs that must be on PATH, such as `wrk`. A row that misses one is not run."""
