"""`python -m drill`: runs one drill and prints its report. The exit status is its result."""

import argparse
import random
import sys
from pathlib import Path

from drill.report_text import render
from drill.run import CONTROLS, DrillOptions, run_drill
from stack import StackError
from stack.progress import Progress
from stack.settings import ROOT

VIOLATED, NOT_STARTED = 1, 2
FOLDER = ROOT / ".local" / "test" / "drill"


def main() -> int:
    """Return 0 without a violation, 1 with one, 2 if the stage could not start."""
    arguments = _parser().parse_args()
    options = DrillOptions(
        seed=random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed,
        seconds=arguments.seconds,
        control=arguments.control,
        clients=arguments.clients,
        greedy=arguments.greedy,
    )
    print(f"SEED={options.seed}", flush=True)
    with Progress("drill", round(options.seconds), unit="s") as progress:
        try:
            on_progress = _Phases(progress, options.seconds)
            report = run_drill(arguments.folder, options, on_progress=on_progress)
        except (StackError, OSError) as error:
            print(f"The stage could not start: {error}\nSEED={options.seed}", file=sys.stderr)
            return NOT_STARTED
    print(render(report, arguments.folder))
    return 0 if report.sound else VIOLATED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, help="drawn and printed if it is not given")
    parser.add_argument("--control", choices=CONTROLS, default="")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument(
        "--greedy",
        action="store_true",
        help="with greedy accounts too",
    )
    parser.add_argument("--folder", type=Path, default=FOLDER)
    return parser


class _Phases:
    """Reports the drill's phase, and how many of its seconds have passed."""

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
