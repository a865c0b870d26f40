"""Decodes an untrusted picture in a child process with limits of memory and time.

multiprocessing's fork server forks the child. The child can reach nothing but its picture and the
file of its answer (`confinement.py`). The answer is untrusted too. A child ends with its work, at
its limits, or with its parent, even if the parent is killed.
"""

import contextlib
import signal
import tempfile
from typing import IO

import structlog

from workers.photos import answers, child, fork_server, seccomp
from workers.photos.child import PassedFile, Work
from workers.photos.confinement import MAX_ANSWER_BYTES, Limits
from workers.photos.errors import (
    PROCESSING_FAILED,
    DecodingInterruptedError,
    ImageRefusedError,
    NoSandboxError,
)
from workers.photos.imaging import RenditionSet

log = structlog.get_logger()

DEFAULT_LIMITS = Limits()
_CRASHES = {
    -signal.SIGABRT,
    -signal.SIGBUS,
    -signal.SIGFPE,
    -signal.SIGILL,
    -signal.SIGSEGV,
    -signal.SIGSYS,  # a system call that no decoder makes
}
_PICTURE_FAULT_EXIT_CODES = {child.EXIT_FAULT, -signal.SIGXCPU, -signal.SIGXFSZ, *_CRASHES}
"""Exit codes that the picture causes; another try would end with the same."""

_requires_filter = True


def require_sandbox(*, required: bool) -> None:
    """Choose what happens where the kernel takes no filter of system calls.

    If it is required, raises NoSandboxError on Linux. Else one line is logged, and pictures are
    decoded within their limits alone.
    """
    global _requires_filter  # noqa: PLW0603 - of this process
    reason = seccomp.why_unavailable()
    if reason and required and seccomp.IS_EXPECTED:
        raise NoSandboxError(reason)
    _requires_filter = required and reason is None
    if reason:
        log.warning("pictures decoded without a filter of system calls", reason=reason)


def render_in_child(data: bytes, declared: str, *, limits: Limits = DEFAULT_LIMITS) -> RenditionSet:
    """The result of `imaging.examine_and_render`, computed in a child process.

    Raises the same ImageRefusedError, and one with `processing-failed` if the child reached its
    limits, crashed, or made a system call that it may not make. Raises DecodingInterruptedError if
    the picture may not be the cause.
    """
    answer = run_in_child(answers.of_picture, data, declared, limits=limits)
    try:
        return answers.parse(answer)
    except ImageRefusedError as refused:
        for trace in getattr(refused, "__notes__", ()):
            log.warning("decoder failed", trace=trace)
        raise


def run_in_child(work: Work, data: bytes, declared: str, *, limits: Limits) -> bytes:
    """What `work` answers to a picture, in a child process that is confined before."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        exit_code = _run(work, source, target, declared, limits)
        if exit_code in _PICTURE_FAULT_EXIT_CODES:
            log.warning("decoder ended by its picture", **_description(exit_code))
            if exit_code in _CRASHES:
                fork_server.replace()
            raise ImageRefusedError(PROCESSING_FAILED)
        if exit_code != child.EXIT_DONE:
            raise DecodingInterruptedError(exit_code)
        target.seek(0)
        return target.read(MAX_ANSWER_BYTES)


def _description(exit_code: int) -> dict[str, str | int]:
    """What to log of a child that a signal or an exception has ended."""
    if exit_code >= 0:
        return {"exit_code": exit_code}
    return {"signal": signal.Signals(-exit_code).name}


def _run(
    work: Work, source: IO[bytes], target: IO[bytes], declared: str, limits: Limits
) -> int | None:
    """Run the child; returns its exit code, None if it had to be killed. Leaves no child behind."""
    process = fork_server.context.Process(
        target=child.run,
        args=(work, PassedFile(source.fileno()), PassedFile(target.fileno()), declared),
        kwargs={"limits": limits, "requires_filter": _requires_filter},
        daemon=True,
    )
    with fork_server.running():
        process.start()
    try:
        process.join(limits.wall_seconds)
        return process.exitcode
    finally:  # also when RQ's time-out interrupts the wait
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.join()
        process.close()
