"""The fork server of the decoding children, with an empty environment.

It has Python and Pillow loaded, and of the worker neither a connection nor a secret: its
environment has paths and the settings of its memory only.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver, util
from pathlib import Path

PRELOADED = ["workers.photos.child", "workers.photos.answers", "workers.photos.warm_up"]

_ROOT = Path(__file__).resolve().parents[2]
_PATHS = ("LD_LIBRARY_PATH", "PYTHONHOME")
"""Variables that a Python may need to start."""
_TUNABLES = "GLIBC_TUNABLES"
_MALLOC_TUNABLES = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432"
    ":glibc.malloc.trim_threshold=1073741824"
)
"""Makes glibc request pages of 2 MB and reuse freed memory instead of returning it to the kernel.
All memory of a child is new, and page faults of 4 kB take a tenth of a photo's time.

32 MB is the largest threshold that glibc accepts. Other C libraries ignore the variable.
"""

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(PRELOADED)

_start_lock = threading.Lock()


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Run the block with a fork server; a Process that starts within may start one anew."""
    with _start_lock, _empty_environment():
        forkserver.ensure_running()
        yield


def replace() -> None:
    """End the fork server, and its children, and start another one.

    All children of one have their memory at the same addresses. If it lived on after a crash, a
    hostile user could find them out picture by picture.
    """
    with _start_lock, _empty_environment():
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001 - no public name
        forkserver.ensure_running()


@contextlib.contextmanager
def _empty_environment() -> Iterator[None]:
    """Let multiprocessing start processes with our environment within the block.

    It has no parameter for it. To empty os.environ meanwhile would take it from other threads.
    """
    original = util.spawnv_passfds
    util.spawnv_passfds = _spawn  # type: ignore[assignment]
    try:
        yield
    finally:
        util.spawnv_passfds = original


def _spawn(path: bytes, args: list[str], passed: Sequence[int]) -> int:
    """Start a program with our environment and these descriptors, beside the standard ones."""
    others = [descriptor for descriptor in _inheritable() if descriptor not in passed]
    for descriptor in passed:  # multiprocessing closes those of its own at once
        os.set_inheritable(descriptor, True)
    closing = [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in others]
    return os.posix_spawn(path, args, environment(), file_actions=closing)


def _inheritable() -> Iterator[int]:
    """Descriptors that a started program gets; Python opens none that it does."""
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - of it only names are wanted
        with contextlib.suppress(OSError):  # that of the listing is closed
            if int(name) > 2 and os.get_inheritable(int(name)):  # noqa: PLR2004 - the standard ones
                yield int(name)


def environment() -> dict[str, str]:
    """The environment of the fork server. The operator's own tunables stay in force."""
    operators = os.environ.get(_TUNABLES)
    python_path = os.environ.get("PYTHONPATH")
    return {
        **{name: os.environ[name] for name in _PATHS if name in os.environ},
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), python_path))),
        _TUNABLES: f"{_MALLOC_TUNABLES}:{operators}" if operators else _MALLOC_TUNABLES,
    }
