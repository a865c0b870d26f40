"""The watchdog ends a process that hangs in a step."""

import subprocess
import sys


def test_a_process_that_hangs_in_a_step_is_ended() -> None:
    script = """
import time
from workers.watchdog import Watchdog
watchdog = Watchdog(0.2)
with watchdog.step():
    pass
time.sleep(1.5)
print("awake", flush=True)
with watchdog.step():
    time.sleep(20)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=15, check=False
    )
    assert done.returncode == 70
    assert done.stdout.startswith("awake"), "there is no limit between two steps"
