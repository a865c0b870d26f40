"""Starts workers by a fork, in milliseconds: a test can start and kill many of them.

Each line of JSON on stdin is a request for a worker: its name, environment and log, constants of
the product to replace, and how far its clock is off. The response is its pid. All workers end when
stdin ends or this process does.
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

PR_SET_PDEATHSIG = 1


def run_worker(request: dict[str, Any]) -> None:
    """Runs the worker in this child process, which then exits."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _redirect(request["log"])
        os.environ.update(request["env"])
        for name, value in request["constants"].items():
            module, _, constant = name.rpartition(".")
            setattr(importlib.import_module(module), constant, value)
        _move_clock(request["clock_seconds"])
        status = main([request["name"]])
    finally:
        os._exit(status)


def _redirect(log: str) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)


def _move_clock(seconds: float) -> None:
    """Moves the wall clock of this process. The monotonic clock stays right."""
    if not seconds:
        return
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + int(seconds * 1_000_000_000)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the children
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run_worker(json.loads(line))
        print(pid, flush=True)
