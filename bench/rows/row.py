"""What a row of the table is: two things measured in turns, after the result has been proved."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from bench.stage.shared import Shared

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One side of one round. `value` is in the row's unit; `cpu_us` is by process, an operation."""

    value: float
    cpu_us: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was proved of a row's result, over all of it: how many things, and whether all held."""

    what: str
    count: int
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A row made ready: what is called in turns, and what proves that both do the work.

    `void` says after the rounds why no ratio may be printed (a client too slow for the row), or
    None. `context` is printed beside the row and judged by nobody.
    """

    ours: Callable[[], Measured]
    against: Callable[[], Measured]
    check: Callable[[], Check]
    void: Callable[[], str | None] = lambda: None
    context: Callable[[], Mapping[str, float | str]] = dict
    sizes: Mapping[str, float | str] = field(default_factory=dict)
    """How much of what this run used, as `lists` or `entries`: written into the result file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row. `ready` opens what it needs, at the sizes of the run, and closes it afterwards.

    The ratio of a round is ours ÷ against; `better` says which way is good. A row of several sizes
    or audiences is several rows: `F3@25k`. A ratio of costs (seconds) has `better="lower"`.
    """

    id: str
    title: str
    unit: str
    target: float
    better: Better
    ready: Callable[["Sizes"], AbstractContextManager[Sides]]
    needs: Sequence[str] = ()
    """Programs that must be on PATH, as `wrk`: without them the row says so and is not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything a run uses: small ones prove results, full ones give figures."""

    quick: bool
    seed: int
    seconds: float
    """Of one side of one round, where a row is measured by time."""
    shared: Shared = field(default_factory=Shared)
    """What several rows stand on: opened by the first that asks, closed when the run ends."""
    say: Callable[[str], None] = print
    """Tells what a long preparation is at: seen at the bar, or in the next line."""
