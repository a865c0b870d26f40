"""What the kernel makes of each system call after `seccomp.confine`: `python -m
tests.support.every_call`. Each call is made by a process of its own, all arguments zero.

Prints a line of JSON for children without and with threads: number → `SIGSYS` or an errno.
"""

import ctypes
import json
import os
import signal

from workers.photos import seccomp

NUMBERS = (*range(512), 0x4000_0000 | 39, 0x4000_0000 | 1)
"""All of both machines, and two of x32."""


def outcome(number: int, *, threads: bool) -> str | int:
    pid = os.fork()
    if pid == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        zeros = [ctypes.c_long(0)] * 6
        seccomp.confine(threads=threads)
        failed = libc.syscall(ctypes.c_long(number), *zeros) == -1
        os._exit(ctypes.get_errno() if failed else 0)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else code


if __name__ == "__main__":
    for threads in (False, True):
        print(json.dumps({number: outcome(number, threads=threads) for number in NUMBERS}))
