"""Injects planned faults and records each in the history."""

import random
import threading
import time
import traceback
from collections.abc import Sequence

from drill.faults.schedule import LANES, PlannedFault
from drill.history import History
from drill.stage.stage import DrillStage


class Injector(threading.Thread):
    """A thread that injects the faults, each lane in a thread of its own."""

    def __init__(self, stage: DrillStage, faults: Sequence[PlannedFault], history: History) -> None:
        super().__init__(name="injector", daemon=True)
        self._stage = stage
        self._faults = faults
        self._history = history
        self._stopping = threading.Event()

    def run(self) -> None:
        """Return after the last fault has ended, or soon after `stop`."""
        start = time.monotonic()
        lanes = [
            threading.Thread(target=self._run_lane, args=(lane, start), daemon=True)
            for lane in range(LANES)
        ]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()

    def stop(self) -> None:
        """End the active faults, and begin no others."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _run_lane(self, lane: int, start: float) -> None:
        for planned in self._faults:
            if planned.lane != lane:
                continue
            if not self._stopping.wait(start + planned.at - time.monotonic()):
                self._inject(planned)

    def _inject(self, planned: PlannedFault) -> None:
        fault, history = planned.fault, self._history
        began = history.now()
        try:
            with fault.apply(self._stage, random.Random(planned.rng_seed)) as facts:
                history.fault(fault.name, fault.cases, "begin", **facts)
                self._stopping.wait(planned.seconds)
            history.fault(fault.name, fault.cases, "end", lasted=history.now() - began, **facts)
        except Exception:  # noqa: BLE001 - any error is recorded, and makes the drill fail
            history.fault(fault.name, fault.cases, "failed", error=traceback.format_exc())
