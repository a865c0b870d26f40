"""Folders for the stacks of a test run, always the same few.

What a killed run has left running is found there by the next one, and ended.
"""

import shutil
from pathlib import Path

from stack import StackError
from stack.supervision.launcher import lock_folder, stop_orphans

TESTS = Path(__file__).resolve().parents[2] / ".local" / "test"
RUNS_SIDE_BY_SIDE = 16
NEVER_WIPED = {"lock", "neo4j"}
NEO4JS_OWN = ("data", "logs", "run", "conf")
"""What is wiped of a Neo4j; its jars may stay."""


def free_folder(kind: str) -> Path:
    """A folder that no other run uses, wiped of what an earlier one has left."""
    for number in range(1, RUNS_SIDE_BY_SIDE + 1):
        folder = TESTS / f"{kind}-{number}"
        try:
            held = lock_folder(folder)
        except StackError:
            continue
        with held:
            stop_orphans(folder, print)
            wipe(folder)
        return folder
    raise AssertionError(f"{RUNS_SIDE_BY_SIDE} test runs hold their folders already")


def wipe(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and path.name not in NEVER_WIPED:
            shutil.rmtree(path)
        elif path.is_file() and path.name not in NEVER_WIPED:
            path.unlink()
    for name in NEO4JS_OWN:
        shutil.rmtree(folder / "neo4j" / name, ignore_errors=True)
