"""Which core a server and which its client run on, so that a turn does not depend on chance."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))

SERVER = _CORES[0]
"""The core of a server that is measured."""
CLIENT = _CORES[-1]
"""That of whoever calls it; the same one where there is only one."""


def pin(pid: int, core: int) -> None:
    """Puts every thread of a process on a core."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has just ended
            os.sched_setaffinity(int(task.name), {core})


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """This thread, and what it starts meanwhile, on a core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def own_seconds() -> float:
    """CPU time of this thread so far: to be subtracted."""
    return time.thread_time()


def childrens_seconds() -> float:
    """CPU time of those children that have ended so far: to be subtracted."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
