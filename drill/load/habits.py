"""What the users of a drill do next. Busy users post and follow much, calm users read much.

The feed of a busy user changes too fast for a timeline to last. That of a calm user is as in the
running product: its pages come from windows and copies, and a change concerns a copy that exists.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

FOLLOW_CHANGES = frozenset({"follow", "unfollow", "block", "unblock"})
"""Not done in calm minutes: after some of them no timeline is built for half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How often a user does each operation, relative to the others."""

    mean_pause_seconds: float
    """Between two operations."""
    weights: Mapping[str, float]
    mean_change_seconds: float = math.inf
    """Between two of `changes`, which come beside the operations of `weights`."""
    changes: Mapping[str, float] = field(default_factory=dict)


BUSY = Habit(
    mean_pause_seconds=0.25,
    weights={
        "read": 50,
        "walk": 3,
        "post": 18,
        "delete": 4,
        "rename": 1,
        "follow": 6,
        "unfollow": 5,
        "block": 0.7,
        "unblock": 0.9,
        "post-again": 2,
        "sign-out": 0.3,
    },
)
CALM = Habit(
    mean_pause_seconds=0.08,
    weights={"read": 20, "scroll": 3, "walk": 0.1},
    mean_change_seconds=20.0,
    changes={"post": 2, "delete": 2, "rename": 4, "block": 0.5, "unblock": 0.5, "sign-out": 1},
)
"""All authors of a calm feed together post four times a minute at most: a window of 24 entries
proves a page of 20 if its last four entries span the disorder of 60 s."""


class Choice:
    """Draws the operations of one user."""

    def __init__(self, habit: Habit, rng: random.Random, start: float) -> None:
        self._habit = habit
        self._rng = rng
        self._next_change = start + self._draw_change_pause()

    def pause(self) -> float:
        """The seconds until the next operation."""
        return self._rng.expovariate(1 / self._habit.mean_pause_seconds)

    def next_op(self, now: float, *, calm: bool) -> str:
        """The operation to do now; no change of follows in a `calm` minute."""
        weights = self._habit.weights
        if now >= self._next_change:
            self._next_change = now + self._draw_change_pause()
            weights = self._habit.changes
        ops = [op for op in weights if not (calm and op in FOLLOW_CHANGES)]
        [op] = self._rng.choices(ops, [weights[op] for op in ops])
        return op

    def _draw_change_pause(self) -> float:
        if not self._habit.changes:
            return math.inf
        return self._rng.expovariate(1 / self._habit.mean_change_seconds)
