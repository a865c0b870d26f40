"""The filter of system calls: what it decides, on both machines, and that the kernel obeys it."""

import errno
import json
import os
import struct
import subprocess
import sys

import pytest

from tests.support.every_call import NUMBERS
from workers.photos import seccomp

PID = 4711
ABIS = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
ABI_OF_32_BITS = 0x4000_0003
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
DENY, ABSENT = 0x0005_0000 | errno.EACCES, 0x0005_0000 | errno.ENOSYS
WITHOUT_FILTERS = {335, 336}
"""uretprobe and uprobe of x86-64: the kernel asks no filter for them, and refuses them itself."""
ANONYMOUS = {2: 3, 3: 0x22}
"""Arguments of an mmap for memory that is read and written."""

machines = pytest.mark.parametrize("machine", ABIS)
with_and_without = pytest.mark.parametrize("threads", [False, True])


def decision(
    machine: str,
    number: int,
    arguments: dict[int, int] | None = None,
    *,
    threads: bool = False,
    abi: int | None = None,
) -> int:
    """What the filter returns for a call, as the kernel runs it."""
    words = [number, ABIS[machine] if abi is None else abi, 0, 0]
    for position in range(6):
        value = (arguments or {}).get(position, 0)
        words += [value & 0xFFFF_FFFF, value >> 32]
    steps = [
        struct.unpack("=HBBI", one) for one in seccomp.program(machine, pid=PID, threads=threads)
    ]
    at, loaded = 0, 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            loaded = words[value // 4]
        elif code == 0x54:
            loaded &= value
        elif code == 0x15:
            at += if_true if loaded == value else if_false
        else:
            assert code == 0x45
            at += if_true if loaded & value else if_false


def numbers(machine: str, *tables: dict[str, tuple[int | None, int | None]]) -> set[int]:
    place = list(ABIS).index(machine)
    return {n for table in tables for pair in table.values() if (n := pair[place]) is not None}


def named(machine: str, pair: tuple[int, int]) -> int:
    return pair[list(ABIS).index(machine)]


def calls_allowed_with_zeros(machine: str) -> set[int]:
    """Those whose arguments count, and may be zero."""
    return {named(machine, one) for one in (seccomp._MPROTECT, seccomp._MADVISE, seccomp._FUTEX)}


# Security 15
@machines
@with_and_without
def test_a_call_that_is_not_listed_ends_the_process(machine: str, threads: bool) -> None:
    allowed = numbers(machine, seccomp._ALLOWED)
    if threads:
        allowed |= numbers(machine, seccomp._ALLOWED_WITH_THREADS)
    refused = numbers(machine, seccomp._REFUSED)
    allowed |= calls_allowed_with_zeros(machine)
    absent = {named(machine, seccomp._CLONE3)} if threads else set[int]()
    for number in range(1024):
        expected = (
            ALLOW if number in allowed
            else DENY if number in refused
            else ABSENT if number in absent
            else KILL
        )  # fmt: skip
        assert decision(machine, number, threads=threads) == expected, number


# Security 15
@machines
def test_a_call_of_another_abi_ends_the_process(machine: str) -> None:
    for number in numbers(machine, seccomp._ALLOWED):
        assert decision(machine, number, abi=ABI_OF_32_BITS) == KILL
        assert decision(machine, number | 0x4000_0000) == KILL  # x32


@machines
def test_memory_is_mapped_if_it_is_anonymous_and_not_executable(machine: str) -> None:
    mmap, mprotect = named(machine, seccomp._MMAP), named(machine, seccomp._MPROTECT)
    assert decision(machine, mmap, ANONYMOUS) == ALLOW
    assert decision(machine, mmap, ANONYMOUS | {2: 7}) == KILL
    assert decision(machine, mmap, ANONYMOUS | {3: 0x02}) == KILL
    assert decision(machine, mprotect, {2: 3}) == ALLOW
    assert decision(machine, mprotect, {2: 5}) == KILL


@machines
def test_memory_is_advised_on_and_locks_are_taken_without_priorities(machine: str) -> None:
    madvise, futex = named(machine, seccomp._MADVISE), named(machine, seccomp._FUTEX)
    for advice in range(256):
        expected = ALLOW if advice in {0, 4, 8, 14, 15} else DENY  # not 100 and 101: bad pages
        assert decision(machine, madvise, {2: advice}) == expected, advice
    for command in range(32):
        for flags in (0, 0x80, 0x100, 0x180):  # private, by the clock
            expected = ALLOW if command in {0, 1, 3, 4, 9, 10} else KILL
            assert decision(machine, futex, {1: command | flags}) == expected, (command, flags)


@machines
def test_a_process_aborts_itself_and_signals_nobody_else(machine: str) -> None:
    tgkill, tkill = named(machine, seccomp._TGKILL), named(machine, seccomp._TKILL)
    assert decision(machine, tgkill, {0: PID, 1: PID + 9, 2: 6}) == ALLOW
    assert decision(machine, tkill, {0: PID, 1: 6}) == ALLOW
    for other in (PID + 1, 0, 2**32 - 1):
        assert decision(machine, tgkill, {0: other, 1: other, 2: 6}) == KILL
        assert decision(machine, tkill, {0: other, 1: 6}) == KILL
    assert decision(machine, tgkill, {0: PID, 1: PID, 2: 9}) == KILL
    assert decision(machine, tkill, {0: PID, 1: 9}) == KILL


@machines
@pytest.mark.parametrize("flags", [0x3D_0F00, 0x7D_0F00])
def test_a_clone_is_a_thread_where_threads_are_needed(machine: str, flags: int) -> None:
    clone = named(machine, seccomp._CLONE)
    assert decision(machine, clone, {0: flags}, threads=True) == ALLOW
    assert decision(machine, clone, {0: flags}) == KILL
    for other in (0x11, flags ^ 0x1_0000, flags | 0x1000_0000):  # fork, no thread, a user namespace
        assert decision(machine, clone, {0: other}, threads=True) == KILL


def test_the_kernel_decides_on_every_call_as_the_filter_says() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.every_call"], capture_output=True, check=True
    )
    without_threads, with_threads = map(json.loads, ran.stdout.splitlines())
    assert_calls_made(without_threads, seccomp._ALLOWED, seccomp._REFUSED)
    assert_calls_made(
        with_threads, seccomp._ALLOWED, seccomp._REFUSED, seccomp._ALLOWED_WITH_THREADS,
        {"clone3": seccomp._CLONE3},
    )  # fmt: skip


def assert_calls_made(
    outcomes: dict[str, str | int], *tables: dict[str, tuple[int | None, int | None]]
) -> None:
    """Assert that the calls of the tables did not end their process, and that all others did."""
    machine = os.uname().machine
    made = {int(number) for number, what in outcomes.items() if what != "SIGSYS"}
    assert made - WITHOUT_FILTERS == numbers(machine, *tables) | calls_allowed_with_zeros(machine)
    refused = {int(number) for number, what in outcomes.items() if what == errno.EACCES}
    assert refused >= numbers(machine, seccomp._REFUSED)
    assert set(map(int, outcomes)) == set(NUMBERS)
