"""Starts workers by forking: whole processes of ours, there in milliseconds, so that many may die.

A line of JSON on stdin asks for one: its name, what it is told, its log, constants of the product
that are made smaller (a lease of two seconds, a page of three), and how far its clock is off. Its
pid comes back. When stdin ends, or this process does, they all end.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from typing import Any

from workers.__main__ import main

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl."""


def begin(asked: dict[str, Any]) -> None:
    """In the child: be that worker."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _redirect(asked["log"])
        os.environ.update(asked["env"])
        for name, value in asked["constants"].items():
            module, _, constant = name.rpartition(".")
            setattr(importlib.import_module(module), constant, value)
        _move_clock(asked["clock_seconds"])
        status = main([asked["name"]])
    finally:
        os._exit(status)


def _redirect(log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)


def _move_clock(seconds: float) -> None:
    """As on a host whose clock is off; what is measured by the monotonic one is right."""
    if not seconds:
        return
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1_000_000_000)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            begin(json.loads(line))
        print(pid, flush=True)
