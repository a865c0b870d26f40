"""`python -m tests.drill`: one drill, its report, and an exit status that says how it went."""

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from stack import StackError
from tests.drill.drill import drill
from tests.drill.report import told
from tests.folders import TESTS

VIOLATED, NOT_SET = 1, 2
LINE_SECONDS = 10.0
"""Between two lines where there is no terminal."""


def main() -> int:
    """0: no violation; 1: there are some; 2: the stage could not be set."""
    asked = _arguments().parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**9)
    folder = asked.folder or TESTS / "drill"
    print(f"SEED={seed}", flush=True)
    with _Heard() as heard:
        try:
            report = drill(
                folder,
                seed=seed,
                seconds=asked.seconds,
                control=asked.control,
                clients=asked.clients,
                heard=heard,
            )
        except (StackError, OSError) as error:
            print(f"The stage could not be set: {error}\nSEED={seed}", file=sys.stderr)
            return NOT_SET
    print(told(report, folder))
    return 0 if report.sound else VIOLATED


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, help="drawn, and printed, where it is not given")
    parser.add_argument("--control", choices=["", "sweeper", "drop", "sweeper,drop"], default="")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    return parser


class _Heard:
    """A bar at a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        console = Console()
        self._terminal = console.is_terminal
        self._next_line = 0.0
        self._part = ""
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("stage", total=1.0)

    def __enter__(self) -> Self:
        if self._terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, part: str, share: float) -> None:
        if self._terminal:
            self._bar.update(self._task, description=part, completed=share)
        elif part != self._part or time.monotonic() > self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            print(f"{part} {share:4.0%}" if share else part, flush=True)
        self._part = part


if __name__ == "__main__":
    sys.exit(main())
