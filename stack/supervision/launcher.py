"""The launcher: the one process that runs the stack of a folder."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from stack import env_file
from stack.errors import StackError
from stack.supervision import records
from stack.terminal import Report

LAUNCHER = "launcher"
"""The name of the launcher's own record."""

STOP_SECONDS = 30
"""From SIGTERM to SIGKILL for an orphan."""


def lock_folder(folder: Path) -> IO[str]:
    """The lock of a stack's folder, created if it is missing. Closing the file releases it.

    Raises StackError if another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):  # the folder may belong to another user
        folder.chmod(0o700)  # photos, graph and logs are private
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        pid = file.read().strip() or "unknown"
        file.close()
        raise StackError(
            f"The stack in {folder} runs already (process {pid}). "
            "`make status` shows it, `make down` stops it."
        ) from error
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def stop_orphans(folder: Path, report: Report) -> None:
    """Stop the processes of an earlier launcher that was killed, the last started first.

    The caller holds the folder's lock.
    """
    env_file.remove(folder)
    run_folder = folder / "run"
    for record in records.read_all(run_folder):
        if record.name == LAUNCHER:
            continue
        if records.running_pids(record):
            report(f"{record.name} still runs from an earlier start; it is stopped first.")
            records.stop(record, seconds=STOP_SECONDS)
        records.remove(run_folder, record.name)
