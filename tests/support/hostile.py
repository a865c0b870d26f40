"""What code would try that a hostile picture runs in its decoder.

Each attempt is made in a confined child, in the place of `answers.of_picture`; `data` says what it
aims at, as JSON. The answer is what it got, or the name of the error. A child that the kernel has
ended answers nothing.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Aim = dict[str, Any]

GOT = b"got "
"""The begin of the answer of an attempt that was not refused."""

libc = ctypes.CDLL(None, use_errno=True)
IS_ARM = os.uname().machine == "aarch64"

CALLS = {
    # call: on x86-64, on 64-bit ARM
    "bpf": (321, 280),
    "clone": (56, 220),
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "open_by_handle_at": (304, 265),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "prctl": (157, 167),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "rt_sigqueueinfo": (129, 138),
    "seccomp": (317, 277),
    "setns": (308, 268),
    "shmget": (29, 194),
    "tgkill": (234, 131),
    "tkill": (200, 130),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}

_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_ALL = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
_code = mmap.mmap(-1, mmap.PAGESIZE, flags=_PRIVATE, prot=_ALL)
_code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid of 32 bits); int 0x80; ret
_plain = mmap.mmap(-1, mmap.PAGESIZE, flags=_PRIVATE)


def call(name: str, *arguments: int | bytes) -> int:
    """Make a system call by its number."""
    return raw(CALLS[name][IS_ARM], *arguments)


def raw(number: int, *arguments: int | bytes) -> int:
    values = [
        ctypes.create_string_buffer(one) if isinstance(one, bytes) else ctypes.c_long(one)
        for one in (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    ]
    return checked(libc.syscall(ctypes.c_long(number), *values))


def checked(result: int) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def read(path: str) -> object:
    return Path(path).read_bytes()


def append(aim: Aim) -> object:
    with Path(aim["path"]).open("ab") as file:
        return file.write(b"hostile")


def new_socket(family: socket.AddressFamily, address: Any) -> object:
    with socket.socket(family) as hostile:
        hostile.connect(address)
        return "a connection"


def thread(_aim: Aim) -> object:
    second = threading.Thread(target=int)
    second.start()
    second.join()
    return "a thread"


def fork(_aim: Aim) -> object:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid


def mapped(protection: int, flags: int, descriptor: int) -> object:
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, ctypes.c_size_t(4096), protection, flags, descriptor, ctypes.c_long())
    return checked(-1 if address == 2**64 - 1 else address)


def address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def made_executable(_aim: Aim) -> object:
    return checked(libc.mprotect(ctypes.c_void_p(address_of(_plain)), ctypes.c_size_t(4096), 5))


def call_of_32_bits(_aim: Aim) -> object:
    return ctypes.CFUNCTYPE(ctypes.c_int)(address_of(_code))()


def more_memory(_aim: Aim) -> object:
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    return "more"


FILES: dict[str, Callable[[Aim], object]] = {
    "its own environ": lambda _: read("/proc/self/environ"),
    "the worker's environ": lambda aim: read(f"/proc/{aim['worker']}/environ"),
    "the worker's memory": lambda aim: read(f"/proc/{aim['worker']}/mem"),
    "the worker's descriptors": lambda aim: os.listdir(f"/proc/{aim['worker']}/fd"),  # noqa: PTH208
    "the fork server's environ": lambda aim: read(f"/proc/{aim['server']}/environ"),
    "the fork server's memory": lambda aim: read(f"/proc/{aim['server']}/mem"),
    "a file": lambda aim: read(aim["path"]),
    "a write to a file": append,
    "a new file": lambda aim: os.open(aim["path"] + ".new", os.O_CREAT | os.O_WRONLY),
    "the size of a file": lambda aim: Path(aim["path"]).stat(),
    "a list of a folder": lambda _: os.listdir("/"),  # noqa: PTH208
    "shared memory by name": lambda _: os.open("/dev/shm/x", os.O_CREAT | os.O_RDWR),  # noqa: S108
    "a folder's name": lambda _: Path.cwd(),
    "input for the worker's terminal": lambda _: fcntl.ioctl(2, termios.TIOCSTI, b"x"),
}
"""Refused with EACCES."""

OTHERS: dict[str, Callable[[Aim], object]] = {
    # files
    "a file by openat2": lambda aim: call("openat2", -100, aim["path"].encode(), bytes(24), 24),
    "a file by its handle": lambda _: call("open_by_handle_at", 3, bytes(64)),
    "another folder": lambda _: os.chdir("/"),
    "the removal of a file": lambda aim: Path(aim["path"]).unlink(),
    "another name of a file": lambda aim: Path(aim["path"]).rename(aim["path"] + "2"),
    "a new folder": lambda aim: Path(aim["path"] + ".new").mkdir(),
    "a symbolic link": lambda aim: Path(aim["path"] + ".new").symlink_to("/"),
    "a mount": lambda _: call("mount"),
    "a longer answer": lambda _: os.ftruncate(3, 1 << 40),
    "a read": lambda _: os.read(0, 1),
    # network
    "a TCP socket": lambda _: new_socket(socket.AF_INET, ("127.0.0.1", 6379)),
    "a Unix socket": lambda _: new_socket(socket.AF_UNIX, "/tmp/x"),  # noqa: S108
    "the kernel's socket": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a pair of sockets": lambda _: socket.socketpair(),
    "a pipe": lambda _: os.pipe(),
    "a further descriptor": lambda _: os.dup(2),
    # processes
    "a fork": fork,
    "a program": lambda _: os.execve("/bin/true", ["true"], {}),  # noqa: S606
    "a spawned program": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "a subprocess": lambda _: subprocess.run(["/bin/true"], check=False),
    "a thread": thread,
    "a program in anonymous memory": lambda _: call("memfd_create", b"x\0"),
    "a kill of the worker": lambda aim: os.kill(aim["worker"], signal.SIGKILL),
    "a kill of the fork server": lambda aim: os.kill(aim["server"], signal.SIGKILL),
    "a kill of the worker's thread": lambda aim: call("tgkill", aim["worker"], aim["worker"], 9),
    "a kill of any thread": lambda aim: call("tkill", aim["worker"], 9),
    "a queued signal": lambda aim: call("rt_sigqueueinfo", aim["worker"], 9, bytes(128)),
    "a stop of all": lambda _: os.kill(-1, 0),
    "a trace of the worker": lambda aim: call("ptrace", 16, aim["worker"]),
    "a seizure of the fork server": lambda aim: call("ptrace", 0x4206, aim["server"]),
    "a read of the worker's memory": lambda aim: call(
        "process_vm_readv", aim["worker"], bytes(16), 1, bytes(16), 1
    ),
    "a write to the worker's memory": lambda aim: call(
        "process_vm_writev", aim["worker"], bytes(16), 1, bytes(16), 1
    ),
    "a handle of the worker": lambda aim: call("pidfd_open", aim["worker"]),
    "a descriptor of the worker": lambda _: call("pidfd_getfd", 1, 1),
    "a signal by a handle": lambda _: call("pidfd_send_signal", 1, 9),
    "the worker's limits": lambda aim: resource.prlimit(aim["worker"], resource.RLIMIT_CPU, (0, 0)),
    "a lower priority of the worker": lambda aim: os.setpriority(os.PRIO_PROCESS, aim["worker"], 9),
    "the parent's number": lambda _: os.getppid(),
    # the kernel
    "io_uring": lambda _: call("io_uring_setup", 1, bytes(128)),
    "userfaultfd": lambda _: call("userfaultfd"),
    "keys of the kernel": lambda _: call("keyctl"),
    "bpf": lambda _: call("bpf"),
    "events of performance": lambda _: call("perf_event_open", bytes(128), 0, -1, -1, 0),
    "shared memory by key": lambda _: call("shmget", 0, 4096, 0o1666),
    "namespaces of its own": lambda _: call("unshare", 0x1000_0000),
    "another namespace": lambda _: call("setns", 0, 0),
    "another user": lambda _: os.setuid(0),
    # its confinement
    "to be readable again": lambda _: call("prctl", 4, 1),
    "another filter": lambda _: call("seccomp", 1, 0, 0),
    "more memory": more_memory,
    "more time": lambda _: signal.setitimer(signal.ITIMER_REAL, 0),
    "executable memory": lambda _: mapped(7, 0x22, -1),
    "memory made executable": made_executable,
    "a mapped descriptor": lambda _: mapped(1, 0x02, 0),
    "a clone that is no thread": lambda _: call("clone", signal.SIGCHLD),
    "a call of another ABI": lambda _: raw(0x4000_0000 | 39),
}
"""Refused by the end of the child."""
if not IS_ARM:
    OTHERS["a call of 32 bits"] = call_of_32_bits


def attempt(data: bytes, _declared: str) -> bytes:
    """The work of a child: one attempt, and what became of it."""
    aim = json.loads(data)
    try:
        result = (FILES | OTHERS)[aim["attempt"]](aim)
    except OSError as error:
        return errno.errorcode[error.errno or 0].encode()
    return GOT + repr(result).encode()


def attempt_in_thread(data: bytes, declared: str) -> bytes:
    """The same in a second thread."""
    answers: list[bytes] = []
    second = threading.Thread(target=lambda: answers.append(attempt(data, declared)))
    second.start()
    second.join()
    return answers[0]


def environment(_data: bytes, _declared: str) -> bytes:
    return json.dumps({"environment": dict(os.environ), "arguments": sys.argv}).encode()


def linger(_data: bytes, _declared: str) -> bytes:
    """Do nothing until the end comes; without a sleep, which is refused."""
    while True:
        time.monotonic()


def address(_data: bytes, _declared: str) -> bytes:
    """Where a function of the C library is."""
    return str(ctypes.cast(libc.abort, ctypes.c_void_p).value).encode()


def forge_log(_data: bytes, _declared: str) -> bytes:
    for descriptor in (1, 2):
        os.write(descriptor, b'{"event": "forged"}\n')
    return GOT


def abort(_data: bytes, _declared: str) -> bytes:
    """As malloc does when it finds its memory damaged."""
    os.abort()


def crash(_data: bytes, _declared: str) -> bytes:
    return ctypes.string_at(0)
