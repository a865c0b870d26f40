"""wrk: a client in C, on a core of its own, which sends the requests of a file in turn.

It has no rate control. Where a rate is wanted each connection waits before each request, for a
time drawn between 0 and twice the mean, so that requests come at any moment.
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.stage.cores import CLIENT, on_core

SCRIPT = Path(__file__).with_suffix(".lua")

CONNECTIONS = 16
MARGIN_SECONDS = 30.0
"""Beyond its own time: then it is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a file."""

    path: str
    token: str = ""
    method: str = "GET"
    key: str = ""
    body: str = ""

    def line(self) -> str:
        """As wrk.lua reads it."""
        return f"{self.method}\t{self.path}\t{self.token}\t{self.key}\t{self.body}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk found. `requests` were answered well, `overloaded` by a 503 that is no failure.

    `refused` are other answers of 400 and above, `lost` those that never came.
    """

    requests: int
    seconds: float
    refused: int
    overloaded: int
    lost: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds

    def clean(self) -> "Load":
        """The same. Raises RuntimeError where an answer was not what it should be."""
        if self.refused or self.lost or not self.requests:
            raise RuntimeError(f"The load went wrong: {self}")
        return self


def write_requests(path: Path, requests: Iterable[Request]) -> Path:
    """A file of requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.writelines(request.line() for request in requests)
    return path


def load(
    url: str,
    requests: Path,
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    pause_ms: float = 0.0,
    once: bool = False,
    core: int | None = CLIENT,
) -> Load:
    """Sends the requests for so long, or `once`; keep-alive, one thread. Raises RuntimeError."""
    command = ["wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{max(1, round(seconds))}s", "--timeout", "10s", "--latency"]
    command += ["--script", str(SCRIPT), url, "--", str(requests), str(pause_ms)]
    command += ["once"] if once else []
    if core is None:
        return _run(command, seconds)
    with on_core(core):
        return _run(command, seconds)


def _run(command: list[str], seconds: float) -> Load:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + MARGIN_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr or done.stdout}")
    return parsed(done.stdout)


def parsed(said: str) -> Load:
    """The load of what wrk printed. Raises ValueError."""
    line = next((line for line in said.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise ValueError(f"wrk said no result:\n{said}")
    found = json.loads(line.removeprefix("RESULT "))
    return Load(
        requests=found["requests"] - found["status"],
        seconds=found["microseconds"] / 1e6,
        refused=found["status"] - found["overloaded"],
        overloaded=found["overloaded"],
        lost=found["lost"],
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
    )
