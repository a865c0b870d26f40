"""`make fuzz`: requests drawn from the API document, and sequences of them, against a running API.

schemathesis draws them, valid and invalid, and compares each response with the document. It looks
for server errors, undocumented answers, data that should be refused or accepted, and resources that
can be used after their deletion or without a token.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stack import env_file
from stack.settings import ROOT, StackSettings

CASES = re.compile(r"(\d+) generated|Test cases:\s+(\d[\d,]*)")
CASES_OF_AN_OPERATION = 100
SECONDS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run found."""

    status: int
    output: str

    @property
    def cases(self) -> int:
        """How many requests were drawn."""
        found = CASES.findall(self.output)
        return max((int((a or b).replace(",", "")) for a, b in found), default=0)


def run(url: str, folder: Path, *, cases: int, seed: int, seconds: float = SECONDS) -> Result:
    """Run schemathesis with up to `cases` cases of each operation; its files go to the folder."""
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run"),
        *(f"{url}/openapi.json", "--checks", "all", "--mode", "all"),
        *("--max-examples", str(cases), "--seed", str(seed), "--workers", "1"),
        *("--continue-on-failure", "--request-timeout", "30"),
        *("--report", "ndjson", "--report-dir", str(folder)),
    ]
    env = os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.contract_hooks", "FUZZ_URL": url}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=seconds, check=False
    )
    return Result(status=done.returncode, output=done.stdout + done.stderr)


def main() -> int:
    """Fuzz the API of `make up`, or the one at --url; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.contract", description=__doc__)
    parser.add_argument("--url", help="by default that of `make up`")
    parser.add_argument("--cases", type=int, default=CASES_OF_AN_OPERATION, help="an operation")
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if arguments.seed is None else arguments.seed
    url = arguments.url or env_file.read_ready(StackSettings().folder)["API_URL"]
    print(f"SEED={seed}", flush=True)
    result = run(url, ROOT / ".local" / "test" / "fuzz", cases=arguments.cases, seed=seed)
    print(result.output)
    print(f"{result.cases:,} cases")
    return result.status


if __name__ == "__main__":
    sys.exit(main())
