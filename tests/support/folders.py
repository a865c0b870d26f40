"""Folders for the stacks of a test run. Their names are the same in every run.

So a run finds what an earlier run that was killed has left running, and stops it.
"""

import os
import shutil
from pathlib import Path

from stack import StackError
from stack.supervision.launcher import lock_folder, stop_orphans

TESTS = Path(__file__).resolve().parents[2] / ".local" / "test"
MAX_RUNS = 16
"""Test runs at the same time."""
STAYING = {"lock", "neo4j"}
WIPED_OF_NEO4J = ("data", "logs", "run", "conf")
"""Folders of a Neo4j that are removed. Its jars stay."""


def free_folder(kind: str) -> Path:
    """A folder that no other run uses, without the data of an earlier run.

    The processes of one run have names of their own: a folder is not locked between this call and
    the start of its stack.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    for number in range(1, MAX_RUNS + 1):
        folder = TESTS / "-".join(filter(None, (kind, worker, str(number))))
        try:
            lock = lock_folder(folder)
        except StackError:
            continue
        with lock:
            stop_orphans(folder, print)
            wipe(folder)
        return folder
    raise AssertionError(f"{MAX_RUNS} test runs have locked their folders")


def wipe(folder: Path) -> None:
    """Removes everything but the lock and Neo4j's jars."""
    for path in folder.iterdir():
        if path.name in STAYING:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for name in WIPED_OF_NEO4J:
        shutil.rmtree(folder / "neo4j" / name, ignore_errors=True)
