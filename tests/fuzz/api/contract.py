"""Runs schemathesis on an API: every check, every phase, chains of requests too."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from stack.settings import ROOT
from tests.fuzz.api.town import TownIds

UNLIMITED = "1000000"
"""LIMITS_SCALE of the API: what is asked for is not 429."""
MAY_BE = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.NOT_IMPLEMENTED}
"""503 with Retry-After on a busy machine; 501 for a method that nobody knows."""
MOST_BUSY = 0.1
"""The share of 503 that a busy machine explains."""
CONFIG = Path(__file__).parent / "schemathesis.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run has found."""

    exit_status: int
    output: str
    """What schemathesis prints: its findings with the request of each, and a summary."""
    report: Mapping[str, Any]
    statuses: Mapping[str, int]
    """Responses by operation and status: `GET /v1/me 200`."""

    def count(self, status: int) -> int:
        """Responses with this status."""
        return sum(n for name, n in self.statuses.items() if name.endswith(f" {status}"))

    @property
    def cases(self) -> int:
        """Responses in all."""
        return sum(self.statuses.values())

    @property
    def problems(self) -> list[str]:
        """What must not be, in words; the output has the requests."""
        found = [] if self.exit_status == 0 else ["schemathesis has findings, see above"]
        for name, count in self.statuses.items():
            status = int(name.rpartition(" ")[2])
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in MAY_BE:
                found.append(f"{count} of {name}")
        busy = self.count(HTTPStatus.SERVICE_UNAVAILABLE)
        if busy > MOST_BUSY * self.cases:
            found.append(f"{busy} of {self.cases} responses are 503")
        return found

    def text(self) -> str:
        """The findings, or the summary alone; then the number of responses of each status."""
        _, _, findings = self.output.partition("= FAILURES =")
        _, _, summary = self.output.partition("= SUMMARY =")
        counts = Counter[str]()
        for name, count in self.statuses.items():
            counts[name.rpartition(" ")[2]] += count
        by_status = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
        return f"{findings or summary or self.output}\n{self.cases} responses: {by_status}"


def run_schemathesis(
    url: str,
    town: TownIds,
    folder: Path,
    *,
    seed: int,
    examples: int,
    seconds: int | None = None,
    phases: str = "examples,coverage,fuzzing,stateful",
) -> Run:
    """Send requests to the API until each operation has had its examples, or the time is over."""
    folder.mkdir(parents=True, exist_ok=True)
    town.write(folder / "town.json")
    report, statuses = folder / "report.json", folder / "statuses.json"
    for path in (report, statuses):
        path.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"{url}/openapi.json", "--checks", "all", "--seed", str(seed)),
        *("--phases", phases),
        *("--max-examples", str(examples), "--generation-database", "none", "--no-color"),
        *("--report", "json", "--report-json-path", str(report)),
        *(("--max-time", str(seconds)) if seconds else ()),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": "tests.fuzz.api.hooks",
            "FUZZ_TOWN": str(folder / "town.json"),
            "FUZZ_STATUSES": str(statuses),
            "FUZZ_URL": url,
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(
        exit_status=done.returncode,
        output=done.stdout,
        report=_read(report),
        statuses=_read(statuses),
    )


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}
