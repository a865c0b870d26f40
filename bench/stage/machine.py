"""The machine, versions and commit of a run: without them a figure means nothing."""

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
"""The installed packages that figures depend on."""

PROGRAM_SECONDS = 10
"""Time limit of a program that prints its version."""


def machine() -> dict[str, float | str]:
    """CPU, cores, RAM in GB and load. Steal is added when the run is over."""
    memory = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    model = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    return {
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "ram": round(int(memory[1]) / 1e6, 1) if memory else 0,
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Versions of everything that rows are measured with, by name."""
    by_name = {"python": platform.python_version(), "kernel": platform.release()}
    for package in PACKAGES:
        try:
            by_name[package] = version(package)
        except PackageNotFoundError:
            continue
    by_name["redis-server"] = _first_line(find_server().binary, "--version")
    for program in ("redis-benchmark", "wrk"):
        if shutil.which(program):
            by_name[program] = _first_line(program, "--version")
    return by_name


def commit() -> tuple[str, bool]:
    """The commit's short name, and whether files differ from it; `unknown` without git."""
    name = _first_line("git", "rev-parse", "--short", "HEAD")
    changes = _first_line("git", "status", "--porcelain", "--untracked-files=no")
    return name or "unknown", bool(changes)


def cpu_ticks() -> Mapping[str, int]:
    """The machine's CPU time since its start, all and stolen, in ticks."""
    numbers = [int(word) for word in _text("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return {"all": sum(numbers), "steal": numbers[7] if len(numbers) > 7 else 0}  # noqa: PLR2004


def steal(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """The share of the time between two ticks that went to other virtual machines, in percent."""
    ticks = after["all"] - before["all"]
    return round(100 * (after["steal"] - before["steal"]) / ticks, 2) if ticks else 0.0


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _first_line(*command: str) -> str:
    """A program's first line of output that is not empty; "" if there is none."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=PROGRAM_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [line for line in (done.stdout or done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""
