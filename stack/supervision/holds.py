"""Keeping a part down for a while: the supervisor starts it again when it is let go.

Held by a file beside the records, which names the process that holds: if that one dies, so does
its hold.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from stack.errors import StackError
from stack.supervision import records
from stack.supervision.records import Record, record_of

LOOK_SECONDS = 0.1


@contextmanager
def held(run_folder: Path, name: str) -> Iterator[None]:
    """While this lasts the supervisor leaves the part alone when it ends, and counts no death.

    Raises StackError where somebody else holds it.
    """
    if is_held(run_folder, name):
        raise StackError(f"Somebody else is working on {name}: wait until they are done.")
    draft = run_folder / f"{name}.hold.{os.getpid()}"
    draft.write_text(json.dumps(asdict(record_of(name, os.getpid()))))
    draft.replace(_file(run_folder, name))
    try:
        yield
    finally:
        _file(run_folder, name).unlink(missing_ok=True)


def is_held(run_folder: Path, name: str) -> bool:
    """Whether a process that lives holds the part."""
    try:
        holder = Record(**json.loads(_file(run_folder, name).read_text()))
    except (OSError, ValueError, TypeError):
        return False
    return holder.alive()


def ended(run_folder: Path, record: Record, *, seconds: float) -> None:
    """Tells a held part to end and returns when the supervisor has seen it.

    Raises StackError after `seconds`.
    """
    with suppress(ProcessLookupError):
        os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while records.read(run_folder, record.name) == record:
        if time.monotonic() > deadline:
            raise StackError(f"{record.name} has not stopped after {seconds:.0f} s: see its log.")
        time.sleep(LOOK_SECONDS)


def _file(run_folder: Path, name: str) -> Path:
    return run_folder / f"{name}.hold"
