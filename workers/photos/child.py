"""What runs in the decoding child. The fork server imports this module and nothing of the worker.

The child reads its input, takes from itself what it does not need, looks at the picture, writes its
answer and ends. Nothing of multiprocessing runs after the picture.
"""

import importlib
import os
from collections.abc import Callable
from multiprocessing import reduction
from typing import Any, NoReturn, Self

from workers.photos.confinement import Limits, confine

Work = Callable[[bytes, str], bytes]
"""From the bytes of a file and its declared type to an answer."""

EXIT_DONE, EXIT_FAULT, EXIT_UNCONFINED = 0, 1, 71
"""Exit codes: the answer is written; an exception in the work; the child could not be confined."""

_TYPES_WITH_THREADS = {"image/heic"}
"""libde265 always decodes in a thread beside the first one."""


class PassedFile:
    """An open file that pickling passes to the child, as a duplicate of its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return PassedFile._from_duplicate, (reduction.DupFd(self.descriptor),)

    @classmethod
    def _from_duplicate(cls, duplicate: Any) -> Self:
        return cls(duplicate.detach())


def run(
    work: Work,
    source: PassedFile,
    target: PassedFile,
    declared: str,
    *,
    limits: Limits,
    requires_filter: bool,
) -> NoReturn:
    """Write what `work` answers to the bytes in `source` into `target`, confined, and exit."""
    try:
        importlib.import_module("workers.photos.warm_up")  # if the fork server could not
        with open(source.descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            data = file.read()
        confine(
            limits,
            answer=target.descriptor,
            threads=declared in _TYPES_WITH_THREADS,
            requires_filter=requires_filter,
        )
    except Exception:  # noqa: BLE001 - the exit code says it
        os._exit(EXIT_UNCONFINED)
    try:
        _write(target.descriptor, work(data, declared))
    except BaseException:  # noqa: BLE001 - the exit code says it
        os._exit(EXIT_FAULT)
    os._exit(EXIT_DONE)


def _write(descriptor: int, answer: bytes) -> None:
    rest = memoryview(answer)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
