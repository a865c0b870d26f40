"""Decodes an untrusted picture in a child process with limits of memory and time.

multiprocessing's fork server forks the child. The fork server has Python and Pillow loaded and none
of our connections. The child's answer is untrusted too. A child ends with its work, at its limits,
or with its parent, even if the parent is killed.
"""

import contextlib
import fcntl
import json
import multiprocessing
import os
import resource
import select
import signal
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import forkserver, reduction
from typing import IO, Any, Self

from workers.photos.errors import DecodingInterruptedError, ImageRefusedError
from workers.photos.imaging import RENDITION_SIDES, RenditionSet, examine_and_render

PROCESSING_FAILED = "processing-failed"
"""The code of a picture that exhausts the child's memory or time, or crashes the child."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Limit of the child's answer: more than three renditions can have."""
_PICTURE_FAULT_EXIT_CODES = {
    1,  # an unexpected exception
    -signal.SIGABRT,
    -signal.SIGBUS,
    -signal.SIGFPE,
    -signal.SIGILL,
    -signal.SIGSEGV,
    -signal.SIGXCPU,
    -signal.SIGXFSZ,
}
"""Exit codes that the picture causes; another try would end with the same."""

_TUNABLES = "GLIBC_TUNABLES"
_MALLOC_TUNABLES = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432"
    ":glibc.malloc.trim_threshold=1073741824"
)
"""Makes glibc request pages of 2 MB and reuse freed memory instead of returning it to the kernel.
All memory of a child is new, and page faults of 4 kB take a tenth of a photo's time.

32 MB is the largest threshold that glibc accepts. Other C libraries ignore the variable.
"""

_environment_lock = threading.Lock()
"""Held while os.environ has our tunables: another thread would take them for the operator's."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["workers.photos.decoding", "workers.photos.warm_up"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resources that one picture may use.

    Measured at 40 megapixels: JPEG and PNG pass in 400 MiB of address space, GIF and paletted PNG
    in 512, WebP in 768, a 10-bit HEIC with alpha in 896; the slowest of them takes 4 s.
    """

    memory_bytes: int = 1280 * 1024 * 1024
    cpu_seconds: int = 6
    wall_seconds: float = 10.0


DEFAULT_LIMITS = Limits()


class _PassedFile:
    """An open file that pickling passes to the child, as a duplicate of its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _PassedFile._from_duplicate, (reduction.DupFd(self.descriptor),)

    @classmethod
    def _from_duplicate(cls, duplicate: Any) -> Self:
        return cls(duplicate.detach())


def render_in_child(data: bytes, declared: str, *, limits: Limits = DEFAULT_LIMITS) -> RenditionSet:
    """The result of `imaging.examine_and_render`, computed in a child process.

    Raises the same ImageRefusedError, and one with `processing-failed` if the child reached its
    limits or crashed. Raises DecodingInterruptedError if the picture may not be the cause.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        exit_code = _run(source, target, declared, limits)
        if exit_code in _PICTURE_FAULT_EXIT_CODES:
            raise ImageRefusedError(PROCESSING_FAILED)
        if exit_code != 0:
            raise DecodingInterruptedError(exit_code)
        target.seek(0)
        return _parse_answer(target.read(MAX_ANSWER_BYTES))


def _run(source: IO[bytes], target: IO[bytes], declared: str, limits: Limits) -> int | None:
    """Run the child; returns its exit code, None if it had to be killed. Leaves no child behind."""
    process = _context.Process(
        target=_decode,
        args=(_PassedFile(source.fileno()), _PassedFile(target.fileno()), declared, limits),
        daemon=True,
    )
    with _environment_lock, _malloc_tunables():
        forkserver.ensure_running()
    process.start()
    try:
        process.join(limits.wall_seconds)
        return process.exitcode
    finally:  # also when RQ's time-out interrupts the wait
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.join()
        process.close()


@contextlib.contextmanager
def _malloc_tunables() -> Iterator[None]:
    """Set our tunables in the environment, for a fork server that starts within the block.

    glibc reads them at the start of a process. The operator's own tunables stay in force.
    """
    operators = os.environ.get(_TUNABLES)
    os.environ[_TUNABLES] = f"{_MALLOC_TUNABLES}:{operators}" if operators else _MALLOC_TUNABLES
    try:
        yield
    finally:
        if operators is None:
            del os.environ[_TUNABLES]
        else:
            os.environ[_TUNABLES] = operators


def _parse_answer(answer: bytes) -> RenditionSet:
    """The renditions in the child's answer. Raises ImageRefusedError, also for a malformed one."""
    head, _, body = answer.partition(b"\n")
    try:
        header = json.loads(head)
        if "code" in header:
            raise ImageRefusedError(str(header["code"]))
        renditions, at = {}, 0
        for side, length in zip(RENDITION_SIDES, header["lengths"], strict=True):
            renditions[side] = body[at : at + int(length)]
            at += int(length)
        width, height = int(header["width"]), int(header["height"])
        blurhash = str(header["blurhash"])
    except (ValueError, TypeError, KeyError) as error:
        raise ImageRefusedError(PROCESSING_FAILED) from error
    if at != len(body) or not all(data.startswith(b"\xff\xd8") for data in renditions.values()):
        raise ImageRefusedError(PROCESSING_FAILED)
    return RenditionSet(width=width, height=height, blurhash=blurhash, renditions=renditions)


# The functions below run in the child.


def _decode(source: _PassedFile, target: _PassedFile, declared: str, limits: Limits) -> None:
    _end_with_parent()
    _set_limits(limits)
    with open(source.descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        data = file.read()
    answer = _answer(data, declared)
    with open(target.descriptor, "wb") as file:  # noqa: PTH123
        file.write(answer)


def _answer(data: bytes, declared: str) -> bytes:
    """A line of JSON (the code of a refusal, or sizes and blurhash), then the renditions."""
    header: dict[str, object]
    body: list[bytes] = []
    try:
        result = examine_and_render(data, declared)
    except ImageRefusedError as error:
        header = {"code": error.code}
    except MemoryError:
        header = {"code": PROCESSING_FAILED}
    else:
        body = [result.renditions[side] for side in RENDITION_SIDES]
        header = {
            "width": result.width,
            "height": result.height,
            "blurhash": result.blurhash,
            "lengths": [len(rendition) for rendition in body],
        }
    return json.dumps(header).encode() + b"\n" + b"".join(body)


def _end_with_parent() -> None:
    """Make the kernel end this process when its parent has ended.

    The parent holds the other end of a pipe. When the pipe closes, the kernel sends SIGIO, which
    ends this process even inside a decoder. The fork server stays until its children have ended.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(sentinel, fcntl.F_GETFL)
    fcntl.fcntl(sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([sentinel], [], [], 0)[0]:  # the parent ended before O_ASYNC was set
        os._exit(1)


def _set_limits(limits: Limits) -> None:
    """Set the resource limits, and an alarm in case neither SIGIO nor a kill arrives."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # for the worker, which first ends this job
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(limits.wall_seconds) + 2)
    for name, limit in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, MAX_ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        # A hard CPU limit above the soft one, so that SIGXCPU ends the child, and not a SIGKILL.
        resource.setrlimit(name, (limit, limit + (name == resource.RLIMIT_CPU)))
