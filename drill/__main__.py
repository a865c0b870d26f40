"""`python -m drill`: one drill, its report, and an exit status that says how it went."""

import argparse
import random
import sys
from pathlib import Path

from drill.report import told
from drill.run import drill
from stack import StackError
from stack.progress import Progress
from tests.folders import TESTS

VIOLATED, NOT_SET = 1, 2


def main() -> int:
    """0: no violation; 1: there are some; 2: the stage could not be set."""
    asked = _arguments().parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**9)
    folder = asked.folder or TESTS / "drill"
    print(f"SEED={seed}", flush=True)
    with Progress("drill", round(asked.seconds), unit="s") as progress:
        try:
            report = drill(
                folder,
                seed=seed,
                seconds=asked.seconds,
                control=asked.control,
                clients=asked.clients,
                heard=_Phases(progress, asked.seconds),
            )
        except (StackError, OSError) as error:
            print(f"The stage could not be set: {error}\nSEED={seed}", file=sys.stderr)
            return NOT_SET
    print(told(report, folder))
    return 0 if report.sound else VIOLATED


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, help="drawn, and printed, where it is not given")
    parser.add_argument("--control", choices=["", "sweeper", "drop", "sweeper,drop"], default="")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    return parser


class _Phases:
    """Reports the drill's phase, and the share of its seconds that has passed."""

    def __init__(self, progress: Progress, seconds: float) -> None:
        self._progress = progress
        self._seconds = seconds
        self._passed = 0
        self._phase = ""

    def __call__(self, phase: str, share: float) -> None:
        if phase != self._phase:
            self._progress.print(phase)
            self._progress.describe(phase)
            self._phase = phase
        passed = round(share * self._seconds)
        if passed > self._passed:
            self._progress.advance(passed - self._passed)
            self._passed = passed


if __name__ == "__main__":
    sys.exit(main())
