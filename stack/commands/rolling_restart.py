"""`make restart`: every process of ours anew, one after the other, with nobody noticing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import requests

from stack.errors import StackError
from stack.parts.photofeed import WORKERS
from stack.settings import ROOT, StackSettings
from stack.supervision import records
from stack.supervision.holds import ended, held
from stack.supervision.records import Record

SERVERS = {"api": "API_URL", "admin": "ADMIN_URL"}
"""Those under granian, which replaces its workers itself, and where they answer."""

READY = b' ready"'
"""What a worker's log says when it takes work."""

REPLACE_SECONDS = 90.0
"""For each of a server's workers: the new one starts, the old one finishes what it answers."""

FINISH_SECONDS = 70.0
"""A job under way is finished first; RQ gives it 60 s."""

READY_SECONDS = 60.0
PREPARE_SECONDS = 60
LOOK_SECONDS = 0.1

Say = Callable[[str], None]


def restart(settings: StackSettings, env: dict[str, str], say: Say) -> None:
    """Replaces every process of ours that runs; the stores stay up.

    The next one is touched only when the last one works. Raises StackError where one does not.
    """
    run_folder = settings.folder / "run"
    known = {name: records.read(run_folder, name) for name in (*SERVERS, *WORKERS)}
    running = {name: one for name, one in known.items() if one and one.alive()}
    if not running:
        raise StackError("None of our processes runs. `make up` starts them.")
    _prepare(env)
    for name, record in running.items():
        began = time.monotonic()
        if name in SERVERS:
            _replace_server(record, url=env[SERVERS[name]])
        else:
            _replace_worker(settings.folder, record)
        say(f"{name} is new after {time.monotonic() - began:.1f} s.")


def _prepare(env: dict[str, str]) -> None:
    """What the new version needs of the stores, which the old one can live with."""
    done = subprocess.run(
        [sys.executable, "-m", "api", "init"],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=PREPARE_SECONDS,
        check=False,
    )
    if done.returncode:
        end = (done.stdout + done.stderr)[-1000:]
        raise StackError(f"The stores could not be prepared; nothing was restarted:\n{end}")


def _replace_server(record: Record, *, url: str) -> None:
    """Has granian start new workers in place of the old ones, which finish what they answer."""
    old = _children(record.pid)
    os.kill(record.pid, signal.SIGHUP)
    seconds = REPLACE_SECONDS * max(1, len(old))
    deadline = time.monotonic() + seconds
    while not _replaced(record.pid, old) or not _answers(url):
        if not record.alive():
            raise StackError(f"{record.name} ended instead of being replaced: see its log.")
        if time.monotonic() > deadline:
            raise StackError(
                f"{record.name} still has old workers after {seconds:.0f} s: see its log. "
                "The rest was not restarted."
            )
        time.sleep(LOOK_SECONDS)


def _replace_worker(folder: Path, record: Record) -> None:
    """Lets a worker finish its job and end; its supervisor starts the next one."""
    run_folder, log = folder / "run", folder / "logs" / f"{record.name}.log"
    with held(run_folder, record.name):  # no death that counts
        ended(run_folder, record, seconds=FINISH_SECONDS)
        written = log.stat().st_size if log.exists() else 0
    deadline = time.monotonic() + READY_SECONDS
    while not _ready(log, written):
        if time.monotonic() > deadline:
            raise StackError(
                f"{record.name} does not get ready: see {log}. The rest was not restarted."
            )
        time.sleep(LOOK_SECONDS)


def _ready(log: Path, written: int) -> bool:
    """Whether the log says so after its first `written` bytes, or in a new file."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(written if log.stat().st_size >= written else 0)
        return READY in file.read()
    return False


def _children(pid: int) -> set[int]:
    """Its workers; granian's own helpers among them."""
    try:
        return {child.pid for child in psutil.Process(pid).children()}
    except psutil.NoSuchProcess:
        return set()


def _replaced(pid: int, old: set[int]) -> bool:
    """Whether as many have come as there were, and all of those are gone.

    Python's resource tracker serves old and new alike: it is no worker, and stays.
    """
    now = _children(pid)
    return len(now) >= len(old) and not {one for one in now & old if not _is_tracker(one)}


def _is_tracker(pid: int) -> bool:
    try:
        return any("resource_tracker" in word for word in psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False


def _answers(url: str) -> bool:
    """Whether anything is answered there; how is no business of a restart."""
    try:
        requests.get(f"{url}/", timeout=5)
    except requests.RequestException:
        return False
    return True
