"""`make restart`: replaces our processes one after the other, without an outage."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import requests

from stack import secrets
from stack.errors import StackError
from stack.parts.photofeed import WORKERS
from stack.roles import environment_of, without_secrets
from stack.settings import ROOT, StackSettings
from stack.supervision import records
from stack.supervision.holds import hold, stop_on_hold
from stack.supervision.records import Record
from stack.terminal import Report

SERVERS = {"api": "API_URL", "admin": "ADMIN_URL"}
"""Each process under granian, which replaces its workers itself; and the variable of its URL."""

READY = b' ready"'
"""Part of the log line of a worker that takes jobs."""

REPLACE_SECONDS = 90.0
"""For each worker of a server: the new one starts, the old one finishes its requests."""

FINISH_SECONDS = 70.0
"""For a worker of a queue: it finishes its job, which RQ stops after 60 s."""

READY_SECONDS = 60.0
PREPARE_SECONDS = 60
POLL_SECONDS = 0.1


def restart(settings: StackSettings, env: dict[str, str], report: Report) -> None:
    """Replace every process of ours that runs; the stores stay up.

    Raises StackError if a new process does not work; then the rest keeps its old processes.
    """
    run_folder = settings.folder / "run"
    recorded = {name: records.read(run_folder, name) for name in (*SERVERS, *WORKERS)}
    running = {name: record for name, record in recorded.items() if record and record.alive()}
    if not running:
        raise StackError("None of our processes runs. `make up` starts them.")
    _require_secrets(env)
    _prepare_stores(env)
    for name, record in running.items():
        began = time.monotonic()
        if name in SERVERS:
            _replace_server(record, url=env[SERVERS[name]])
        else:
            _replace_worker(settings.folder, record)
        report(f"{name} is new after {time.monotonic() - began:.1f} s.")


def _require_secrets(env: dict[str, str]) -> None:
    """Raise StackError if the version that has started the stack did not know a secret."""
    missing = [name for name in secrets.NAMES if name.endswith("_KEYS") and name not in env]
    if missing:
        raise StackError(
            f"The stack was started by a version without {', '.join(missing)}; nothing was "
            "restarted. Upgrade it with `make down` and `make up`."
        )


def _prepare_stores(env: dict[str, str]) -> None:
    """Migrate the stores for the new version. The old version works with them too."""
    result = subprocess.run(
        [sys.executable, "-m", "api", "init"],
        cwd=ROOT,
        env=without_secrets(os.environ) | environment_of("init", env),
        capture_output=True,
        text=True,
        timeout=PREPARE_SECONDS,
        check=False,
    )
    if result.returncode:
        end = (result.stdout + result.stderr)[-1000:]
        raise StackError(f"The stores could not be prepared; nothing was restarted:\n{end}")


def _replace_server(record: Record, *, url: str) -> None:
    """Reload granian: it starts new workers, and the old ones finish their requests."""
    old = _children(record.pid)
    os.kill(record.pid, signal.SIGHUP)
    seconds = REPLACE_SECONDS * max(1, len(old))
    deadline = time.monotonic() + seconds
    while not _all_replaced(record.pid, old) or not _answers(url):
        if not record.alive():
            raise StackError(f"{record.name} ended instead of being replaced: see its log.")
        if time.monotonic() > deadline:
            raise StackError(
                f"{record.name} still has old workers after {seconds:.0f} s: see its log. "
                "The rest was not restarted."
            )
        time.sleep(POLL_SECONDS)


def _replace_worker(folder: Path, record: Record) -> None:
    """Stop a worker after its job; the supervisor then starts the new one."""
    run_folder, log = folder / "run", folder / "logs" / f"{record.name}.log"
    with hold(run_folder, record.name):  # else the supervisor counts a crash
        stop_on_hold(run_folder, record, seconds=FINISH_SECONDS)
        old_bytes = log.stat().st_size if log.exists() else 0
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(log, old_bytes):
        if time.monotonic() > deadline:
            raise StackError(
                f"{record.name} does not become ready: see {log}. The rest was not restarted."
            )
        time.sleep(POLL_SECONDS)


def _is_ready(log: Path, old_bytes: int) -> bool:
    """Whether the log has READY after its first `old_bytes`, or anywhere in a new file."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(old_bytes if log.stat().st_size >= old_bytes else 0)
        return READY in file.read()
    return False


def _children(pid: int) -> set[int]:
    """The server's workers, and helper processes of granian's."""
    try:
        return {child.pid for child in psutil.Process(pid).children()}
    except psutil.NoSuchProcess:
        return set()


def _all_replaced(pid: int, old: set[int]) -> bool:
    """Whether there are as many children as before, and none of the old ones.

    Python's resource tracker is a child that serves old and new workers: it stays.
    """
    now = _children(pid)
    remaining = {child for child in now & old if not _is_resource_tracker(child)}
    return len(now) >= len(old) and not remaining


def _is_resource_tracker(pid: int) -> bool:
    try:
        return any("resource_tracker" in word for word in psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False


def _answers(url: str) -> bool:
    """Whether the server answers, with any status."""
    try:
        requests.get(f"{url}/", timeout=5)
    except requests.RequestException:
        return False
    return True
