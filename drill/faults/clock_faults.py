"""Faults of clocks: the clock of one process is wrong."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from signal import SIGKILL

from drill.faults.fault import Apply, Facts
from drill.stage.programs import APIS
from drill.stage.stage import DrillStage

TOLERATED_OFFSETS_SECONDS = (-4.0, 4.0)
"""A clock may be off by 5 s; 1 s of it is left for the measurement over the network."""
WRONG_OFFSETS_SECONDS = (-300.0, -30.0, -8.0, 8.0, 30.0, 300.0)


def move_clock(names: Sequence[str] | None, offsets: Sequence[float]) -> Apply:
    """Move the clock of one process by one of the offsets, and back. `names` None: any process."""

    @contextmanager
    def apply(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
        name, seconds = rng.choice(names or stage.process_names), rng.choice(offsets)
        stage.move_clock(name, seconds)
        try:
            yield {"process": name, "seconds": seconds}
        finally:
            stage.move_clock(name, 0)

    return apply


@contextmanager
def start_with_wrong_clock(stage: DrillStage, rng: random.Random) -> Iterator[Facts]:
    """Restart one API process while its clock is wrong."""
    name, seconds = rng.choice(APIS), rng.choice(WRONG_OFFSETS_SECONDS)
    stage.move_clock(name, seconds)
    try:
        stage.signal(name, SIGKILL)
        yield {"process": name, "seconds": seconds}
    finally:
        stage.move_clock(name, 0)
