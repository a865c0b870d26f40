"""Takes from the decoding child what it does not need, before it looks at a picture.

Afterwards the child has its memory, its input as bytes, the file of its answer, and nothing else:
docs/decisions/0021-the-decoding-child-is-confined.md.
"""

import ctypes
import fcntl
import multiprocessing
import os
import resource
import select
import signal
import sys
from collections.abc import Collection
from dataclasses import dataclass

from workers.photos import seccomp

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Limit of the child's answer: more than three renditions can have."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_CAPABILITIES_VERSION = 0x2008_0522
"""Of linux/capability.h: two words a set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resources that one picture may use.

    Measured at 40 megapixels: JPEG and PNG pass in 400 MiB of address space, GIF and paletted PNG
    in 512, WebP in 768, a 10-bit HEIC with alpha in 896; the slowest of them takes 4 s.
    """

    memory_bytes: int = 1280 * 1024 * 1024
    cpu_seconds: int = 6
    wall_seconds: float = 10.0


def confine(limits: Limits, *, answer: int, threads: bool, requires_filter: bool) -> None:
    """Leave this process its limits and the descriptor `answer`, for good.

    `threads`: the decoder starts threads. Raises SeccompError, if a filter is required and the
    kernel takes none, and OSError.
    """
    sentinel = _end_with_parent()
    _keep_descriptors({answer, sentinel})
    if sys.platform == "linux":
        _drop_capabilities()
        _end_with_fork_server_and_hide()
    _set_limits(limits, threads=threads)
    try:
        seccomp.confine(threads=threads)
    except seccomp.SeccompError:
        if requires_filter:
            raise


def _end_with_parent() -> int:
    """Make the kernel end this process when the worker has ended; returns the descriptor for it.

    The worker holds the other end of a pipe. When the pipe closes, the kernel sends SIGIO, which
    ends this process even inside a decoder.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise OSError("this process has no parent of multiprocessing")
    sentinel = parent.sentinel
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(sentinel, fcntl.F_GETFL)
    fcntl.fcntl(sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([sentinel], [], [], 0)[0]:  # the parent ended before O_ASYNC was set
        os._exit(1)
    return sentinel


def _keep_descriptors(kept: Collection[int]) -> None:
    """Close all descriptors but these. Standard input, output and error become /dev/null.

    Those of the worker are its log. multiprocessing passes two more: writing ends of pipes to the
    fork server and to its tracker, which removes the shared memory that it is told of.
    """
    null = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - of it only names are wanted
        descriptor = int(name)
        if descriptor > 2 and descriptor not in kept:  # noqa: PLR2004 - the standard ones
            _close(descriptor)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:  # that of the listing
        return


def _drop_capabilities() -> None:
    """Leave root without its rights."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    if seccomp.LIBC.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _end_with_fork_server_and_hide() -> None:
    """Have SIGKILL sent when the fork server ends, which ends with the worker.

    And let no process of the same user read or trace this one.
    """
    seccomp.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    seccomp.prctl(_PR_SET_DUMPABLE, 0)


def _set_limits(limits: Limits, *, threads: bool) -> None:
    """Set the resource limits, and an alarm in case neither a signal nor a kill arrives.

    Linux counts threads as processes, all those of the user: with threads there is no limit.
    """
    for stop in (signal.SIGINT, signal.SIGTERM):  # for the worker, which first ends this job
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(limits.wall_seconds) + 2)
    for name, limit in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, MAX_ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
        *(() if threads and sys.platform == "linux" else ((resource.RLIMIT_NPROC, 0),)),
    ):
        # A hard CPU limit above the soft one, so that SIGXCPU ends the child, and not a SIGKILL.
        resource.setrlimit(name, (limit, limit + (name == resource.RLIMIT_CPU)))
