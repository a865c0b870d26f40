"""The drill reads the counters of all processes of the product, of killed ones too."""

import subprocess
import sys
from pathlib import Path

from drill.counters import read_counters, read_pages_by_source

COUNT = """
import os, signal
from observing.metrics import SWEPT, TIMELINE_READS
TIMELINE_READS.labels(source="window").inc(3)
TIMELINE_READS.labels(source="a source of a later version").inc(2)
SWEPT.labels(what="sessions").inc()
os.kill(os.getpid(), signal.SIGKILL)
"""


def count_in_a_process(folder: Path) -> None:
    """Count pages in a process that is then killed."""
    env = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", COUNT], env=env, check=False)


def test_pages_of_killed_processes_are_added_up_by_any_source(tmp_path: Path) -> None:
    for _ in range(2):
        count_in_a_process(tmp_path)
    (tmp_path / "counter_1.db").touch()  # of a process that is just starting
    assert read_pages_by_source(str(tmp_path)) == {"window": 6, "a source of a later version": 4}
    assert read_counters(str(tmp_path)) == {
        "pages a source of a later version": 4,
        "pages window": 6,
    }


def test_before_the_first_count_there_are_no_pages(tmp_path: Path) -> None:
    assert read_pages_by_source(str(tmp_path)) == {}
