"""Calls that can block, found while a thread runs: sockets, locks, sleep, files, counters."""

import _thread
import io
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = tuple(f"{ROOT / name}{os.sep}" for name in ("api", "feed", "storage", "graph", "bounds"))
"""Code of the product. What only the loop itself does is not reported."""

PERMITTED = f"{os.sep}concurrent{os.sep}futures{os.sep}"
"""Handing work to a thread takes locks that are held for microseconds."""

LOCKS = (_thread.LockType, type(_thread.RLock()))
BLOCKING_FUNCTIONS = frozenset(
    {time.sleep, io.open, os.open, os.read, os.write, os.fsync, socket.getaddrinfo}
)
SOCKET_METHODS = frozenset(
    {"accept", "connect", "recv", "recv_into", "recvfrom", "send", "sendall", "sendto"}
)
LOCK_METHODS = frozenset({"acquire", "__enter__"})
FILE_METHODS = frozenset({"write", "flush", "read", "readline"})
IN_MEMORY = (io.BytesIO, io.StringIO)


class Watch:
    """The blocking calls of one thread, each as `what` and the place in our code."""

    def __init__(self, thread: threading.Thread) -> None:
        self._thread_id = thread.ident
        self.found: set[str] = set()

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        """For sys.setprofile in the thread."""
        if event == "c_call" and (what := _blocking_call(argument)):
            self.report(what, frame)
        elif event == "call" and "prometheus_client" in frame.f_code.co_filename:
            self.report("a counter", frame)

    def report_lock(self) -> None:
        """Report a lock, if this is the thread."""
        if threading.get_ident() == self._thread_id:
            self.report("a lock", sys._getframe(2))

    def report(self, what: str, frame: FrameType | None) -> None:
        """Report a call, if it comes from our code."""
        while frame and not frame.f_code.co_filename.startswith(PACKAGES):
            if PERMITTED in frame.f_code.co_filename:
                return
            frame = frame.f_back
        if frame:
            path = Path(frame.f_code.co_filename).relative_to(ROOT)
            self.found.add(f"{what} in {path}:{frame.f_lineno} {frame.f_code.co_name}")


class WatchedLock:
    """A lock that reports who takes it."""

    watch: Watch | None = None

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self.watch and blocking:
            self.watch.report_lock()
        return bool(self._lock.acquire(blocking, timeout))

    def release(self) -> None:
        self._lock.release()

    def locked(self) -> bool:
        return bool(self._lock.locked())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def watched_locks() -> Iterator[type[WatchedLock]]:
    """Locks that are created meanwhile report their use once `WatchedLock.watch` is set."""
    lock = threading.Lock

    class Watched(WatchedLock):
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "Lock", lambda: Watched(lock()))
        yield Watched


def _blocking_call(function: Any) -> str:
    """What blocks, if this function of C does."""
    owner, name = getattr(function, "__self__", None), function.__name__
    if isinstance(owner, socket.socket) and name in SOCKET_METHODS and owner.gettimeout() != 0:
        return "a socket"
    if isinstance(owner, LOCKS) and name in LOCK_METHODS:
        return "a lock"
    if isinstance(owner, io.IOBase) and name in FILE_METHODS and not isinstance(owner, IN_MEMORY):
        return "a file"
    try:
        return f"{name}()" if function in BLOCKING_FUNCTIONS else ""
    except TypeError:  # a function of an object that has no hash
        return ""
