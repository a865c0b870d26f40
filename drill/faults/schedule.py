"""When which fault comes: drawn from a seed, dealt into two lanes, and then injected."""

import random
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from drill.faults.catalogue import CATALOGUE, Fault
from drill.history import History
from drill.stage.stage import DrillStage

LANES = 2
"""So many faults at once, at most."""

FIRST_SECONDS = 2.0
"""Before the first fault: the clients have begun."""

PAUSE_SECONDS = (0.3, 1.5)
"""Between two faults of a lane."""

HEAVY_SECONDS = 90.0
"""From the beginning of one fault that stops every write to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault, when it begins (seconds from the start), how long it lasts, what it draws from."""

    at: float
    fault: Fault
    rng_seed: int
    seconds: float
    lane: int


def plan(seed: int, seconds: float) -> list[Planned]:
    """The faults of a drill, all over before its end; the same for the same seed and length.

    They are dealt like cards, so that none comes a third time before each has come once.
    """
    rng = random.Random(seed)
    free_at = [FIRST_SECONDS, FIRST_SECONDS + 1.5]
    heavy_from = 0.0
    deck: list[Fault] = []
    planned: list[Planned] = []
    while True:
        lane = free_at.index(min(free_at))
        at = free_at[lane]
        if len(deck) < len(CATALOGUE) // 2:
            deck += rng.sample(CATALOGUE, len(CATALOGUE))
        fault = next(
            (
                card
                for card in deck
                if at + card.seconds <= seconds and (not card.heavy or at >= heavy_from)
            ),
            None,
        )
        if fault is None:
            return sorted(planned, key=lambda one: one.at)
        deck.remove(fault)
        lasting = fault.seconds * rng.uniform(0.5, 1.0)
        planned.append(
            Planned(at=at, fault=fault, rng_seed=rng.getrandbits(32), seconds=lasting, lane=lane)
        )
        free_at[lane] = at + lasting + rng.uniform(*PAUSE_SECONDS)
        if fault.heavy:
            heavy_from = at + HEAVY_SECONDS


class Injector(threading.Thread):
    """Injects what is planned and writes it into the history; nothing may be in `failed` then."""

    def __init__(self, stage: DrillStage, planned: Sequence[Planned], history: History) -> None:
        super().__init__(name="injector", daemon=True)
        self.failed: list[str] = []
        self.injected = 0
        self._stage = stage
        self._history = history
        self._planned = planned
        self._over = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Returns when the last fault is over, or soon after `stop`."""
        began = time.monotonic()
        lanes = [
            threading.Thread(target=self._lane, args=(lane, began), daemon=True)
            for lane in range(LANES)
        ]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()

    def stop(self) -> None:
        """Ends the faults under way and begins no other."""
        self._over.set()
        if self.is_alive():
            self.join()

    def _lane(self, lane: int, began: float) -> None:
        for one in self._planned:
            if one.lane == lane and not self._over.wait(began + one.at - time.monotonic()):
                self._inject(one)

    def _inject(self, one: Planned) -> None:
        fault = one.fault
        began = self._history.now()
        try:
            with fault.apply(self._stage, random.Random(one.rng_seed)) as facts:
                self._history.fault(fault.name, fault.cases, "begin", **facts)
                self._over.wait(one.seconds)
            self._history.fault(
                fault.name, fault.cases, "end", lasted=self._history.now() - began, **facts
            )
        except Exception:  # noqa: BLE001 - recorded: it fails the run, not the injector
            trace = traceback.format_exc()
            self._history.fault(fault.name, fault.cases, "failed", error=trace)
            with self._lock:
                self.failed.append(f"{fault.name}: {trace}")
        with self._lock:
            self.injected += 1
