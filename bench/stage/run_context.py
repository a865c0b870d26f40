"""What a run gives to each of its rows: sizes, seed, shared resources, and its progress."""

from dataclasses import dataclass, field

from bench.stage.resources import Resources
from stack.terminal import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run. Small sizes (`quick`) prove results; full ones give figures."""

    quick: bool
    seed: int
    seconds: float
    """Time of one side of one round, in rows that are measured for a time."""
    resources: Resources = field(default_factory=Resources)
    report: Report = print
    """Shows what a long preparation does now: at the progress bar, or in its next line."""
