"""`make up` and `make down`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from stack import env_file
from stack.commands.tables import show_access
from stack.errors import InterruptedStartError, StackError
from stack.local import LocalStack
from stack.settings import ROOT, StackSettings
from stack.supervision import records
from stack.supervision.launcher import LAUNCHER, lock_folder, stop_orphans
from stack.terminal import report

DOWN_SECONDS = 150
"""Time for the whole stack to stop: workers finish their jobs, Neo4j writes its last checkpoint."""

POLL_SECONDS = 0.1


def up(settings: StackSettings, *, table: bool) -> None:
    """Start everything and stay in the foreground until Ctrl-C or SIGTERM.

    Prints the table of addresses and passwords if `table` is set. Raises StackError if a
    part does not start or keeps crashing.
    """
    stack = LocalStack(settings, report=report)
    stack.lock()
    _handle_signals(stack)
    records.record_of(LAUNCHER, os.getpid()).write(settings.folder / "run")
    try:
        report("Starting Neo4j, two Redis servers and S3 …")
        stack.start_stores()
        report("Starting our own processes …")
        stack.start_processes()
        env_file.write(settings.folder, stack.env)
        if table:
            show_access(stack.env, secrets_file=settings.folder / "secrets.env")
            report("`make demo` fills it with a small town. Ctrl-C stops everything.")
        stack.supervisor.watch()
    except InterruptedStartError:
        pass
    finally:
        report("Stopping …")
        stack.stop()
        env_file.remove(settings.folder)
        records.remove(settings.folder / "run", LAUNCHER)
        report("Everything has stopped. The data stays.")


def up_detached(settings: StackSettings) -> None:
    """Start everything in the background; returns when all parts answer.

    Raises StackError if the stack does not start.
    """
    with lock_folder(settings.folder):  # raises if the stack runs already
        env_file.remove(settings.folder)  # of a launcher that was killed
    log = settings.folder / "logs" / "stack.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "stack", "up", "--no-table"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        _await_ready(launcher, log, env_file.path_in(settings.folder))
    except KeyboardInterrupt:
        launcher.terminate()
        launcher.wait()
        raise
    env = env_file.read_ready(settings.folder)
    show_access(env, secrets_file=settings.folder / "secrets.env")
    report("It runs in the background: `make status`, `make logs`, `make down`.")


def down(settings: StackSettings) -> None:
    """Stop the running stack, or the orphans of a launcher that was killed."""
    launcher = records.read(settings.folder / "run", LAUNCHER)
    if launcher is None or not launcher.alive():
        with lock_folder(settings.folder):
            stop_orphans(settings.folder, report)
        report("Nothing runs.")
        return
    report("Stopping …")
    os.kill(launcher.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while launcher.alive():
        if time.monotonic() > deadline:
            raise StackError(f"It has not stopped after {DOWN_SECONDS} s: see `make logs`.")
        time.sleep(POLL_SECONDS)
    report("Everything has stopped. The data stays.")


def _await_ready(launcher: subprocess.Popen[bytes], log: Path, ready: Path) -> None:
    """Print the launcher's log until the file `ready` exists.

    Raises StackError if the launcher ends first.
    """
    with log.open() as lines:
        while not ready.exists():
            ended = launcher.poll() is not None
            print(lines.read(), end="", flush=True)
            if ended:
                raise StackError(f"It did not start: see above, or {log}.")
            time.sleep(POLL_SECONDS)
        print(lines.read(), end="", flush=True)


def _handle_signals(stack: LocalStack) -> None:
    """Ctrl-C, SIGTERM and a closed terminal stop the stack; the third of them kills it."""
    count = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        stack.stopping.set()
        if count == 2:  # noqa: PLR2004 - the second signal
            report("It is stopping; Neo4j takes up to 10 s. Once more kills everything at once.")
        if count > 2:  # noqa: PLR2004 - the third signal
            _kill_parts(stack.folder / "run")
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)


def _kill_parts(run_folder: Path) -> None:
    for record in records.read_all(run_folder):
        if record.name != LAUNCHER:
            records.stop(record, seconds=0)
