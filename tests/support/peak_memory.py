"""Watches the memory of decoding children from outside."""

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.forked import fork_servers

EVERY_SECONDS = 0.005


class PeakMemory:
    """A context manager; `peak_bytes` is the largest address space of a child seen so far.

    It looks at all children of the fork server every few milliseconds, so the last growth of a
    child can be missed.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        server: psutil.Process | None = None
        while not self._ended.wait(EVERY_SECONDS):
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                if server is None or not server.is_running():
                    [server] = fork_servers()
                task = Path(f"/proc/{server.pid}/task/{server.pid}/children")
                for pid in task.read_text(encoding="ascii").split():
                    self.peak_bytes = max(self.peak_bytes, _peak_of(pid))


def _peak_of(pid: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmPeak:"):
            return int(line.split()[1]) << 10
    return 0
