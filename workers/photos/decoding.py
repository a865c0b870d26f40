"""A stranger's picture, decoded in a child process that gets so much memory and time, no more.

The child is forked from multiprocessing's fork server, a process that holds Python, Pillow and
none of our connections; what the child says is read as a stranger's bytes too. It ends with its
work, with its limits, or with the process that asked for it, even if that one is killed.
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

from workers.photos.imaging import RENDITION_SIDES, ImageRefusedError, Rendered, examine_and_render

PROCESSING_FAILED = "processing-failed"
"""The code of a picture that uses up the child's memory or time, or brings it down."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""More than three renditions ever are; what the child may write."""
_ITS_OWN_FAULT = {
    1,  # an exception nobody expected
    -signal.SIGABRT,
    -signal.SIGBUS,
    -signal.SIGFPE,
    -signal.SIGILL,
    -signal.SIGSEGV,
    -signal.SIGXCPU,
    -signal.SIGXFSZ,
}
"""Exit codes that the picture has brought about; it would do so again."""

_TUNABLES = "GLIBC_TUNABLES"
_LARGE_AND_KEPT = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432"
    ":glibc.malloc.trim_threshold=1073741824"
)
"""Has glibc ask for pages of 2 MB, and use again what was freed instead of giving it back: all of
a child's memory is new, and in pages of 4 kB to be given it takes a tenth of a photo's time.

32 MB is the most that glibc takes for a threshold. Another C library does not look at this.
"""

_starting = threading.Lock()
"""One caller at a time changes the environment, or another's would be taken for the operator's."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["workers.photos.decoding", "workers.photos.warm_up"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one picture may use.

    Measured at 40 megapixels: JPEG and PNG pass in 400 MiB of address space, GIF and paletted PNG
    in 512, WebP in 768, a 10-bit HEIC with alpha in 896; the slowest of them takes 4 s.
    """

    memory_bytes: int = 1280 * 1024 * 1024
    cpu_seconds: int = 6
    wall_seconds: float = 10.0


DEFAULT_LIMITS = Limits()


class DecodingInterruptedError(Exception):
    """The child was stopped from outside, or ran out of time on a busy machine: try again."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"decoding was interrupted (exit code {exit_code})")
        self.exit_code = exit_code


class _Handed:
    """A file that crosses to the child as its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _Handed._taken, (reduction.DupFd(self.descriptor),)

    @classmethod
    def _taken(cls, handed: Any) -> Self:
        return cls(handed.detach())


def render_apart(data: bytes, declared: str, *, limits: Limits = DEFAULT_LIMITS) -> Rendered:
    """What `imaging.examine_and_render` gives, from a child process.

    Raises ImageRefusedError as that does, and with `processing-failed` where the child came to
    its limits or fell; DecodingInterruptedError where the picture need not be at fault.
    """
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        exit_code = _run(source, target, declared, limits)
        if exit_code in _ITS_OWN_FAULT:
            raise ImageRefusedError(PROCESSING_FAILED)
        if exit_code != 0:
            raise DecodingInterruptedError(exit_code)
        target.seek(0)
        return _understood(target.read(MAX_ANSWER_BYTES))


def _run(source: IO[bytes], target: IO[bytes], declared: str, limits: Limits) -> int | None:
    """The child's exit code, None if it had to be killed. No child is left when this returns."""
    process = _context.Process(
        target=_decode,
        args=(_Handed(source.fileno()), _Handed(target.fileno()), declared, limits),
        daemon=True,
    )
    with _starting, _tuned():
        forkserver.ensure_running()
    process.start()
    try:
        process.join(limits.wall_seconds)
        return process.exitcode
    finally:  # also where a job's time-out is raised in the middle of the wait
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.join()
        process.close()


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """The environment as a fork server needs it that is started meanwhile; of no other process.

    glibc reads it as a process starts, and an operator's own tunables stay in force.
    """
    given = os.environ.get(_TUNABLES)
    os.environ[_TUNABLES] = f"{_LARGE_AND_KEPT}:{given}" if given else _LARGE_AND_KEPT
    try:
        yield
    finally:
        if given is None:
            del os.environ[_TUNABLES]
        else:
            os.environ[_TUNABLES] = given


def _understood(answer: bytes) -> Rendered:
    """The child's answer, held to its form. Raises ImageRefusedError."""
    head, _, body = answer.partition(b"\n")
    try:
        told = json.loads(head)
        if "code" in told:
            raise ImageRefusedError(str(told["code"]))
        renditions, at = {}, 0
        for side, length in zip(RENDITION_SIDES, told["lengths"], strict=True):
            renditions[side] = body[at : at + int(length)]
            at += int(length)
        width, height, blurhash = int(told["width"]), int(told["height"]), str(told["blurhash"])
    except (ValueError, TypeError, KeyError) as error:
        raise ImageRefusedError(PROCESSING_FAILED) from error
    if at != len(body) or not all(data.startswith(b"\xff\xd8") for data in renditions.values()):
        raise ImageRefusedError(PROCESSING_FAILED)
    return Rendered(width=width, height=height, blurhash=blurhash, renditions=renditions)


# From here on: in the child.


def _decode(source: _Handed, target: _Handed, declared: str, limits: Limits) -> None:
    _end_with_parent()
    _restrain(limits)
    with open(source.descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        data = file.read()
    told: dict[str, object]
    body: list[bytes] = []
    try:
        rendered = examine_and_render(data, declared)
    except ImageRefusedError as error:
        told = {"code": error.code}
    except MemoryError:
        told = {"code": PROCESSING_FAILED}
    else:
        body = [rendered.renditions[side] for side in RENDITION_SIDES]
        told = {
            "width": rendered.width,
            "height": rendered.height,
            "blurhash": rendered.blurhash,
            "lengths": [len(part) for part in body],
        }
    with open(target.descriptor, "wb") as file:  # noqa: PTH123
        file.write(json.dumps(told).encode() + b"\n" + b"".join(body))


def _end_with_parent() -> None:
    """Has the kernel end this process when the one that asked for it is gone.

    That one holds the other end of a pipe; its end raises SIGIO here, which ends a process even
    in the middle of a decoder. The fork server lives on until its children are gone.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(sentinel, fcntl.F_GETFL)
    fcntl.fcntl(sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([sentinel], [], [], 0)[0]:  # gone before the kernel was told
        os._exit(1)


def _restrain(limits: Limits) -> None:
    """Sets the limits. The alarm holds where SIGIO does not come and nobody kills us."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # meant for the worker, which ends this job first
        signal.signal(stop, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(limits.wall_seconds) + 2)
    for name, limit in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, MAX_ANSWER_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        # At the soft limit of CPU comes SIGXCPU, at the hard one a SIGKILL like anybody's.
        resource.setrlimit(name, (limit, limit + (name == resource.RLIMIT_CPU)))
