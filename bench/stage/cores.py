"""CPU cores and CPU time: server and client are pinned, so that no turn depends on scheduling.

CPU times are totals in seconds; callers subtract two of them.
"""

import os
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_CORES = sorted(os.sched_getaffinity(0))

SERVER = _CORES[0]
"""The core of a server that is measured."""
CLIENT = _CORES[-1]
"""The core of its client; the same core on a machine with one."""


def pin(pid: int, core: int) -> None:
    """Restrict every thread of a process to a core."""
    _set_affinity(pid, {core})


def unpin(pid: int) -> None:
    """Allow every thread of a process all cores that this process may use."""
    _set_affinity(pid, os.sched_getaffinity(os.getpid()))


def _set_affinity(pid: int, cores: set[int]) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that has just ended
            os.sched_setaffinity(int(task.name), cores)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Restrict this thread, and the processes that it starts meanwhile, to a core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def thread_seconds() -> float:
    """CPU time of this thread."""
    return time.thread_time()


def children_seconds() -> float:
    """CPU time of the children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_seconds(pids: Iterable[int]) -> float:
    """CPU time of these processes."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def process_tree(pid: int | None) -> list[int]:
    """The pids of a process, by default of this one, and of all its descendants."""
    parent = psutil.Process(pid or os.getpid())
    return [parent.pid, *(child.pid for child in parent.children(recursive=True))]
