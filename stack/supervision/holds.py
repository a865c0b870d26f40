"""Holds: the supervisor does not start a part again while a command works on it.

A hold is a file beside the records. It holds the record of the process that placed it, and is
void once that process has ended.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stack.errors import StackError
from stack.supervision import records
from stack.supervision.records import Record, record_of

POLL_SECONDS = 0.1


@contextmanager
def hold(run_folder: Path, name: str) -> Iterator[None]:
    """Put the part on hold: if it ends, it stays down, and its end does not count as a crash.

    Raises StackError if the part is on hold already.
    """
    if is_on_hold(run_folder, name):
        raise StackError(f"Another command works on {name}: wait until it is done.")
    draft = run_folder / f"{name}.hold.{os.getpid()}"
    draft.write_text(record_of(name, os.getpid()).to_json())
    draft.replace(_file(run_folder, name))
    try:
        yield
    finally:
        _file(run_folder, name).unlink(missing_ok=True)


def is_on_hold(run_folder: Path, name: str) -> bool:
    """Whether a running process has the part on hold."""
    holder = records.read_file(_file(run_folder, name))
    return holder is not None and holder.alive()


def stop_on_hold(run_folder: Path, record: Record, *, seconds: float) -> None:
    """Send SIGTERM to a part on hold; return when the supervisor has removed its record.

    Raises StackError after `seconds`.
    """
    with suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while records.read(run_folder, record.name) == record:
        if time.monotonic() > deadline:
            raise StackError(f"{record.name} has not stopped after {seconds:.0f} s: see its log.")
        time.sleep(POLL_SECONDS)


def _file(run_folder: Path, name: str) -> Path:
    return run_folder / f"{name}.hold"
