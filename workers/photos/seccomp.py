"""The system calls of the decoding child: a seccomp filter of Linux, in classic BPF.

The kernel runs the filter before each system call. The listed calls are made; calls that ask for a
file or a signal handler fail with EACCES, as decoders and Python bear that; any other call ends the
process by SIGSYS. The numbers are compared exactly, so the calls of another ABI (x32, 32 bits) are
not in the list.
"""

import ctypes
import errno
import functools
import os
import signal
import struct
import sys
from dataclasses import dataclass

_ALLOW = 0x7FFF_0000
_KILL_PROCESS = 0x8000_0000
_REFUSE = 0x0005_0000 | errno.EACCES
_ABSENT = 0x0005_0000 | errno.ENOSYS
"""What the kernel does: SECCOMP_RET_… of linux/seccomp.h."""

_LOAD, _MASK, _JUMP_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x06
"""Instructions of BPF, linux/bpf_common.h: load a word of the call, keep bits, compare, return."""
_CALL_NUMBER, _CALL_ABI = 0, 4
"""Places in `struct seccomp_data`. The arguments follow at 16, 8 bytes each, low word first."""

_PROT_EXEC, _MAP_ANONYMOUS = 0x04, 0x20
_NEW_THREAD = {0x3D_0F00, 0x7D_0F00}
"""The flags of `clone` with which glibc and musl start a thread, and nothing else."""
_WAITS_AND_WAKES, _FUTEX_COMMAND = {0, 1, 3, 4, 9, 10}, 0x7F
"""The commands of `futex` for locks without priorities, and the bits that hold one."""
_ADVICE = {0, 4, 8, 14, 15}
"""The advice of `madvise` on memory: normal, not needed, free, huge pages or not. Others let root
damage pages of the machine."""

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2

LIBC = ctypes.CDLL(None, use_errno=True)

IS_EXPECTED = sys.platform == "linux"
"""Whether a system of this kind takes a filter."""

_X86, _ARM = "x86_64", "aarch64"
_ABIS = {_X86: 0xC000_003E, _ARM: 0xC000_00B7}
"""Machine → AUDIT_ARCH_… of linux/audit.h."""

# Call → its numbers on x86-64 and on 64-bit ARM; None where there is no such call.
_Numbers = dict[str, tuple[int | None, int | None]]

_ALLOWED: _Numbers = {
    "brk": (12, 214),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "write": (1, 64),
    "writev": (20, 66),
    "close": (3, 57),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "getrandom": (318, 278),
    "sysinfo": (99, 179),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "restart_syscall": (219, 128),
    "exit_group": (231, 94),
}
"""Memory, time, locks, the answer, the end. glibc's qsort asks for the size of the memory."""

_ALLOWED_WITH_THREADS: _Numbers = {
    "exit": (60, 93),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
}

_REFUSED: _Numbers = {
    "open": (2, None),
    "openat": (257, 56),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getcwd": (79, 17),
    "lseek": (8, 62),
    "ioctl": (16, 29),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
}
"""Python asks for files when it formats a trace, glibc for signals when it starts a thread or
aborts. With EACCES both go on without them."""

_MMAP, _MPROTECT, _TGKILL, _TKILL = (9, 222), (10, 226), (234, 131), (200, 130)
_MADVISE, _FUTEX = (28, 233), (202, 98)
_CLONE, _CLONE3 = (56, 220), (435, 435)


class SeccompError(OSError):
    """The kernel takes no filter."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """A machine's place in the pairs of numbers, and the number of its ABI."""

    place: int
    abi: int

    @classmethod
    def named(cls, name: str) -> "_Machine":
        return cls(list(_ABIS).index(name), _ABIS[name])

    def numbers(self, calls: _Numbers) -> list[int]:
        return [pair[self.place] for pair in calls.values() if pair[self.place] is not None]  # type: ignore[misc]


def why_unavailable() -> str | None:
    """Why this system takes no filter; None if it takes one. Changes nothing."""
    if reason := _why_unknown():
        return reason
    try:  # the kernel looks at the missing filter last
        prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, 0)
    except OSError as error:
        return None if error.errno == errno.EFAULT else f"the kernel takes no filter: {error}"
    return None


def _why_unknown() -> str | None:
    """Why there is no list of calls for this system; None if there is one."""
    if sys.platform != "linux":
        return "seccomp is a part of Linux"
    machine = os.uname().machine
    if machine not in _ABIS or sys.maxsize < 2**32 or sys.byteorder != "little":
        return f"there is no list of system calls for this machine ({machine})"
    return None


def confine(*, threads: bool) -> None:
    """Leave this process the calls of a decoder, for good. Raises SeccompError.

    `threads`: it may start threads too.
    """
    if reason := _why_unknown():
        raise SeccompError(reason)
    install(program(os.uname().machine, pid=os.getpid(), threads=threads))


def prepare() -> None:
    """Build what is the same for all processes, so that it takes no time in each."""
    if not _why_unknown():
        for threads in (False, True):
            _decisions(os.uname().machine, threads=threads)


def program(machine: str, *, pid: int, threads: bool) -> list[bytes]:
    """The filter for the process `pid` on a machine, an instruction an item."""
    it = _Machine.named(machine)
    return [
        *_decisions(machine, threads=threads),
        *_if_call(_TGKILL[it.place], _if_arguments_are({0: pid, 2: signal.SIGABRT})),
        *_if_call(_TKILL[it.place], _if_arguments_are({0: pid, 1: signal.SIGABRT})),
        _step(_RETURN, _KILL_PROCESS),
    ]


@functools.cache
def _decisions(machine: str, *, threads: bool) -> list[bytes]:
    """The part of the filter that does not depend on the process."""
    it = _Machine.named(machine)
    return [
        _step(_LOAD, _CALL_ABI),
        _step(_JUMP_EQUAL, it.abi, 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _CALL_NUMBER),
        *_if_call(_MMAP[it.place], _if_anonymous_and_not_executable()),
        *_if_call(_MPROTECT[it.place], _if_not_executable()),
        *_if_call(_MADVISE[it.place], _if_argument(2, _ADVICE, otherwise=_REFUSE)),
        *_if_call(_FUTEX[it.place], _if_argument(1, _WAITS_AND_WAKES, mask=_FUTEX_COMMAND)),
        *(part for number in it.numbers(_ALLOWED) for part in _answer(number, _ALLOW)),
        *(_for_threads(it) if threads else ()),
        *(part for number in it.numbers(_REFUSED) for part in _answer(number, _REFUSE)),
    ]


def install(instructions: list[bytes]) -> None:
    """Set a filter for this process and all that it starts. Raises SeccompError."""
    code = b"".join(instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(instructions), ctypes.addressof(buffer))  # struct sock_fprog
    pointer = ctypes.create_string_buffer(header, len(header))
    try:
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(pointer))
    except OSError as error:
        raise SeccompError(error.errno, f"the kernel takes no filter: {error}") from error


def prctl(option: int, *arguments: int) -> None:
    """Raises OSError."""
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    if LIBC.prctl(ctypes.c_int(option), *values) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _for_threads(it: _Machine) -> list[bytes]:
    """What starts and ends a thread.

    No filter can see the flags of `clone3`. Where there is none, glibc starts a thread by `clone`.
    """
    return [
        *(part for n in it.numbers(_ALLOWED_WITH_THREADS) for part in _answer(n, _ALLOW)),
        *_answer(_CLONE3[it.place], _ABSENT),
        *_if_call(_CLONE[it.place], _if_argument(0, _NEW_THREAD)),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """An instruction; the last two say how many instructions to pass over."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _answer(number: int, action: int) -> list[bytes]:
    return [_step(_JUMP_EQUAL, number, 0, 1), _step(_RETURN, action)]


def _if_call(number: int, body: list[bytes]) -> list[bytes]:
    """The body for a call of this number. A body always returns."""
    return [_step(_JUMP_EQUAL, number, 0, len(body)), *body]


def _load_argument(position: int) -> bytes:
    """The low word: the kernel reads no more of these arguments, which are `int` or flags."""
    return _step(_LOAD, 16 + 8 * position)


def _if_argument(
    position: int, values: set[int], *, mask: int = 0xFFFF_FFFF, otherwise: int = _KILL_PROCESS
) -> list[bytes]:
    """Whether the argument, or these bits of it, is one of the values."""
    compared = [part for value in sorted(values) for part in _answer(value, _ALLOW)]
    return [_load_argument(position), _step(_MASK, mask), *compared, _step(_RETURN, otherwise)]


def _if_arguments_are(values: dict[int, int]) -> list[bytes]:
    """Each the value of its position."""
    compared = [
        part
        for position, value in values.items()
        for part in (
            _load_argument(position),
            _step(_JUMP_EQUAL, value, 1, 0),
            _step(_RETURN, _KILL_PROCESS),
        )
    ]
    return [*compared, _step(_RETURN, _ALLOW)]


def _if_not_executable() -> list[bytes]:
    return [
        _load_argument(2),
        _step(_JUMP_ANY_BIT, _PROT_EXEC, 1, 0),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _KILL_PROCESS),
    ]


def _if_anonymous_and_not_executable() -> list[bytes]:
    """Memory alone: no descriptor is mapped."""
    return [
        _load_argument(2),
        _step(_JUMP_ANY_BIT, _PROT_EXEC, 3, 0),
        _load_argument(3),
        _step(_JUMP_ANY_BIT, _MAP_ANONYMOUS, 0, 1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _KILL_PROCESS),
    ]
