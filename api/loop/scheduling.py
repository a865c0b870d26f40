"""How the kernel schedules the threads of a web process."""

import os
from contextlib import suppress


def schedule_as_batch() -> None:
    """Let this thread, and those that it starts later, not interrupt a running thread (Linux).

    A request passes through three threads: the server's, one that calls the loop, and the loop's.
    By default the kernel interrupts each to run the one that it has just woken, three switches a
    request on a busy core. As a batch the woken thread waits until the other one sleeps, at most
    some milliseconds, and then has several requests to work on. Another policy, which an operator
    has set, stays.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return
    with suppress(OSError):  # a sandbox may forbid it
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
