"""`python -m tests.fuzz.images`: fuzzes the image gate and prints what became of the files.

The exit status is 1 if there is a finding. Its file stays in `.local/fuzz/`.
"""

import argparse
import random
import sys
import time

from stack.progress import Progress
from stack.settings import ROOT
from tests.fuzz.images.gate import Report, fuzz

FOLDER = ROOT / ".local" / "fuzz"


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.images", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, help="drawn and printed if it is not given")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"SEED={seed}", flush=True)
    with Progress("fuzz of the image gate", round(arguments.seconds), unit="s") as progress:
        report = fuzz(seed, seconds=arguments.seconds, on_file=_Shown(progress))
    print(report.text())
    _save(report)
    return 1 if report.findings else 0


class _Shown:
    """Shows how many seconds have passed, and the files tried."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._began = time.monotonic()
        self._shown = 0

    def __call__(self, report: Report) -> None:
        passed = int(time.monotonic() - self._began)
        if passed > self._shown:
            self._progress.describe(f"{report.files} files, {len(report.findings)} findings")
            self._progress.advance(passed - self._shown)
            self._shown = passed


def _save(report: Report) -> None:
    for number, (_, file) in enumerate(report.findings):
        FOLDER.mkdir(parents=True, exist_ok=True)
        name = f"{report.seed}-{number}.{file.declared.removeprefix('image/')}"
        (FOLDER / name).write_bytes(file.data)
        print(f"    saved: {FOLDER / name}")


if __name__ == "__main__":
    sys.exit(main())
