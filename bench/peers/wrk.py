"""wrk: a client in C, pinned to a core, which sends the requests of a file one after the other.

It has no rate control. For a given rate each connection waits before each request, for a random
time between 0 and twice the mean, so that requests come at any moment.
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
"""After its time plus this wrk is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of a file."""

    path: str
    token: str = ""
    method: str = "GET"
    key: str = ""
    body: str = ""

    def line(self) -> str:
        """The line that wrk.lua reads."""
        return f"{self.method}\t{self.path}\t{self.token}\t{self.key}\t{self.body}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The result of wrk: counts of answers, and percentiles of their latency."""

    requests: int
    """Answers below 400."""
    seconds: float
    refused: int
    """Answers of 400 and above that are not counted as overloaded."""
    overloaded: int
    """503 answers to a file sent `once`. They are no failure: wrk waits as Retry-After demands."""
    lost: int
    """Requests without an answer."""
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds

    def require_success(self) -> "Load":
        """This load. Raises RuntimeError if requests were refused or lost, or none answered."""
        if self.refused or self.lost or not self.requests:
            raise RuntimeError(f"The load went wrong: {self}")
        return self


def write_requests(path: Path, requests: Iterable[Request]) -> Path:
    """Write a file of requests; returns its path."""
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
    """Send the requests for some seconds, or `once`, over keep-alive connections of one thread.

    `pause_ms` is the mean wait before each request. Raises RuntimeError if wrk fails.
    """
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
    return parse(done.stdout)


def parse(output: str) -> Load:
    """The load in wrk's output. Raises ValueError if there is none."""
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise ValueError(f"wrk printed no result:\n{output}")
    result = json.loads(line.removeprefix("RESULT "))
    return Load(
        requests=result["requests"] - result["status"],
        seconds=result["microseconds"] / 1e6,
        refused=result["status"] - result["overloaded"],
        overloaded=result["overloaded"],
        lost=result["lost"],
        p50_ms=result["p50"] / 1000,
        p99_ms=result["p99"] / 1000,
    )
