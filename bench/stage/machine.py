"""On what a run ran: a figure without its machine, versions and commit says nothing."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stack.parts.redis import find_server
from stack.settings import ROOT

PACKAGES = [
    "flask",
    "flask-smorest",
    "marshmallow",
    "granian",
    "neo4j",
    "neo4j-rust-ext",
    "redis",
    "hiredis",
    "rq",
    "boto3",
    "pillow",
]
"""Of ours, those a figure depends on."""

ASK_SECONDS = 10


def machine() -> dict[str, float | str]:
    """What the machine is. Load and steal are added when the run is over."""
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    model = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    return {
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "ram": round(int(memory[1]) / 1e6, 1) if memory else 0,
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Versions of whatever a row is measured with."""
    found = {"python": platform.python_version(), "kernel": platform.release()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    server = find_server()
    found["redis-server"] = _said(server.binary, "--version")
    for program in ("redis-benchmark", "wrk"):
        if shutil.which(program):
            found[program] = _said(program, "--version")
    return found


def commit() -> tuple[str, bool]:
    """The commit's short name, and whether files differ from it; `unknown` without git."""
    name = _said("git", "rev-parse", "--short", "HEAD")
    return name or "unknown", bool(_said("git", "status", "--porcelain", "--untracked-files=no"))


def ticks() -> Mapping[str, int]:
    """The machine's CPU time so far, all and stolen, in ticks: to be subtracted."""
    numbers = [int(word) for word in _text("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return {"all": sum(numbers), "steal": numbers[7] if len(numbers) > 7 else 0}  # noqa: PLR2004


def steal(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Which part of the time between was given to other machines, in per cent."""
    all_of_it = after["all"] - before["all"]
    return round(100 * (after["steal"] - before["steal"]) / all_of_it, 2) if all_of_it else 0.0


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _said(*command: str) -> str:
    """What a program says in its first line that is not empty; nothing if it is not there."""
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=ASK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [line for line in (said.stdout or said.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""
