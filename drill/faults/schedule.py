"""Plans which fault is injected when, by a seed. Two lanes run side by side."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from drill.calm_minutes import Span, calm_minutes, is_calm
from drill.faults.catalogue import CATALOGUE
from drill.faults.fault import Fault

LANES = 2
"""The most faults at once."""

FIRST_SECONDS = (2.0, 3.5)
"""When the first fault of each lane begins: the clients have started by then."""

PAUSE_SECONDS = (0.3, 1.5)
"""The shortest and the longest pause between two faults of a lane."""

HEAVY_SECONDS = 90.0
"""The shortest time from the beginning of one heavy fault to the next."""

SHORTEST_SHARE = 0.5
"""The shortest duration of a fault, as a share of its longest one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault with its time, its duration and the seed of its own random choices."""

    at: float
    """Seconds since the start of the clients."""
    fault: Fault
    rng_seed: int
    seconds: float
    lane: int


def plan(seed: int, seconds: float, calm: Sequence[Span] | None = None) -> list[PlannedFault]:
    """The faults of a drill in order; all end before `seconds`. Equal for equal arguments.

    They are dealt from a shuffled deck, so that none comes a third time before each came once.
    None empties the cache in a `calm` span; without `calm` these are the drill's calm minutes.
    """
    calm = calm_minutes(seconds) if calm is None else calm
    rng = random.Random(seed)
    free_at = list(FIRST_SECONDS)
    next_heavy_at = 0.0
    deck: list[Fault] = []
    faults: list[PlannedFault] = []
    while True:
        lane = free_at.index(min(free_at))
        at = free_at[lane]
        if len(deck) < len(CATALOGUE) // 2:
            deck += rng.sample(CATALOGUE, len(CATALOGUE))
        in_time = [fault for fault in deck if _may_last(fault, at, seconds, calm)]
        fault = next((one for one in in_time if not one.heavy or at >= next_heavy_at), None)
        if fault is None:
            return sorted(faults, key=lambda planned: planned.at)
        deck.remove(fault)
        duration = fault.seconds * rng.uniform(SHORTEST_SHARE, 1.0)
        faults.append(
            PlannedFault(
                at=at, fault=fault, rng_seed=rng.getrandbits(32), seconds=duration, lane=lane
            )
        )
        free_at[lane] = at + duration + rng.uniform(*PAUSE_SECONDS)
        if fault.heavy:
            next_heavy_at = at + HEAVY_SECONDS


def _may_last(fault: Fault, at: float, seconds: float, calm: Sequence[Span]) -> bool:
    """Whether the fault may begin at this time and last as long as it can."""
    end = at + fault.seconds
    return end <= seconds and not (fault.empties_cache and is_calm(calm, at, end))
