"""How the kernel schedules the threads of a web process."""

import os
from contextlib import suppress
from pathlib import Path

TASKS = Path("/proc/self/task")


def schedule_as_batch() -> None:
    """Let the threads of this process, also those that start later, not interrupt one another.

    A request passes through three threads: the server's, one that calls the loop, and the loop's.
    By default the kernel interrupts each to run the one that it has just woken, three switches a
    request on a busy core. As a batch the woken thread waits until the other one sleeps, at most
    some milliseconds, and then has several requests to work on. All threads must be: a thread that
    interrupts others, and is not interrupted by them, makes it worse. So this is to be called when
    the server has started its threads; a later one inherits the policy of its creator.

    Does nothing where there are no such policies (it is for Linux), and leaves a thread alone that
    has another policy, which an operator has set.
    """
    if not hasattr(os, "SCHED_BATCH") or not TASKS.exists():
        return
    for task in TASKS.iterdir():
        with suppress(OSError):  # a thread that has just ended; a sandbox may forbid it
            if os.sched_getscheduler(int(task.name)) == os.SCHED_OTHER:
                os.sched_setscheduler(int(task.name), os.SCHED_BATCH, os.sched_param(0))
