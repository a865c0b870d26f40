"""`python -m tests.fuzz.api`: fuzzes the API of a stack of its own by its document.

It runs rounds of other seeds until it has sent so many cases, or one round for so many seconds. The
exit status is 1 if there is a finding. `.local/fuzz/api` has the output of every round.
"""

import argparse
import random
import sys
from collections.abc import Iterator

from stack import StackSettings
from stack.parts.photofeed import WORKERS
from stack.settings import ROOT
from tests.fuzz.api.contract import UNLIMITED, Run, run_schemathesis
from tests.fuzz.api.town import settle
from tests.support.folders import free_folder
from tests.support.supervised_stack import QUICK_JAVA, SupervisedStack

FOLDER = ROOT / ".local" / "fuzz" / "api"
EXAMPLES = 40
"""Cases of an operation in each phase of a round."""


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seconds", type=int, help="instead of a number of cases")
    parser.add_argument("--seed", type=int, help="drawn and printed if it is not given")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    print(f"SEED={seed}", flush=True)
    settings = StackSettings(
        folder=free_folder("fuzz"),
        neo4j_pagecache="128m",
        neo4j_java_options=QUICK_JAVA,
        limits_scale=UNLIMITED,
    )
    with SupervisedStack(settings, processes=("api", *WORKERS)) as stack:
        runs = list(_rounds(stack.url, seed, cases=arguments.cases, seconds=arguments.seconds))
        (FOLDER / "api.log").write_text(stack.log("api"))
    print(f"{sum(run.cases for run in runs)} cases in {len(runs)} rounds, SEED={seed}")
    return 1 if any(run.problems for run in runs) else 0


def _rounds(url: str, seed: int, *, cases: int, seconds: int | None) -> Iterator[Run]:
    """The rounds, each printed."""
    town, sent = settle(url), 0
    while sent < (1 if seconds else cases):
        run = run_schemathesis(url, town, FOLDER, seed=seed, examples=EXAMPLES, seconds=seconds)
        (FOLDER / f"{seed}.txt").write_text(run.output)
        print(run.text(), *run.problems, sep="\n", flush=True)
        yield run
        sent, seed = sent + max(1, run.cases), seed + 1


if __name__ == "__main__":
    sys.exit(main())
