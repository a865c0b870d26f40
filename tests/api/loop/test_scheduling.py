"""The policy by which the kernel schedules the threads of a web process."""

import subprocess
import sys

import pytest

from tests.support.blocking import ROOT

PREPARE = """
import os, threading
from api.loop.scheduling import schedule_as_batch

ending = threading.Event()
tids = []

def begin(work=lambda: None):
    begun = threading.Event()
    def run():
        work()
        tids.append(threading.get_native_id())
        begun.set()
        ending.wait()
    threading.Thread(target=run).start()
    begun.wait()

def idle():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
"""

END = """
names = {os.SCHED_OTHER: "other", os.SCHED_BATCH: "batch", os.SCHED_IDLE: "idle"}
print(*[names[os.sched_getscheduler(tid)] for tid in [0, *tids]])
ending.set()
"""


def policies(script: str) -> list[str]:
    """The policies of the main thread and of those that the script has begun, in a process."""
    if sys.platform != "linux":
        pytest.skip("Linux alone has these policies")
    done = subprocess.run(
        [sys.executable, "-c", PREPARE + script + END],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    return done.stdout.split()


def test_threads_that_run_and_those_that_start_later_are_scheduled_as_batch() -> None:
    assert policies("begin(); schedule_as_batch(); begin()") == ["batch"] * 3


def test_a_policy_that_an_operator_has_set_stays() -> None:
    assert policies("begin(idle); schedule_as_batch()") == ["batch", "idle"]
