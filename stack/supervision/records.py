"""Which processes the stack has started: so that a later run finds what an earlier one left.

A process is known by its pid and its start time, never by its name.
"""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
START_FIELD = 19
"""Place of the start time, in ticks since boot, in /proc/PID/stat after the command's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A process of ours. It leads a session and group of its own, whose id is its pid."""

    name: str
    pid: int
    started: str
    also: dict[str, str] = field(default_factory=dict)  # descendants: pid → start

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return start_of(self.pid) == self.started

    def write(self, folder: Path) -> None:
        """Keeps the record in `folder`, replacing an older one of the same name."""
        draft = folder / f"{self.name}.json.new"
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(folder / f"{self.name}.json")

    def with_descendants(self) -> "Record":
        """The same record, knowing also what the process has started by now."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return self
        also = {str(child.pid): start_of(child.pid) or "" for child in children}
        return Record(name=self.name, pid=self.pid, started=self.started, also=self.also | also)


def record_of(name: str, pid: int) -> Record:
    """The record of a process that has just been started."""
    return Record(name=name, pid=pid, started=start_of(pid) or "")


def read(folder: Path, name: str) -> Record | None:
    """The record of that name, or None."""
    try:
        return Record(**json.loads((folder / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def read_all(folder: Path) -> list[Record]:
    """Every record, the youngest first: the reverse of the order in which they were started."""
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [record for path in paths if (record := read(folder, path.stem))]


def forget(folder: Path, name: str) -> None:
    """Removes the record of that name, if there is one."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def start_of(pid: int) -> str | None:
    """When the process started, as a text that differs for each process and boot; None if gone.

    On Linux from the kernel's ticks: a wall clock that is set meanwhile changes nothing.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else f"{_boot()}:{fields[START_FIELD]}"
    except OSError:
        pass
    try:
        process = psutil.Process(pid)
        gone = process.status() == psutil.STATUS_ZOMBIE
        return None if gone else f"{_boot()}:{process.create_time()}"
    except psutil.Error:
        return None


def survivors(record: Record) -> list[int]:
    """Pids that still run of this process, its descendants and its group."""
    pids = {int(pid) for pid, start in record.also.items() if start_of(int(pid)) == start}
    leader = start_of(record.pid)
    if leader == record.started:
        pids.add(record.pid)
    if leader in (record.started, None) and record.started.startswith(_boot()):
        # A pid is not given anew while it names a group: the group of a leader that is gone
        # can only be the one that we started.
        pids |= set(_group(record.pid))
    return sorted(pids)


def end(record: Record, *, seconds: float) -> bool:
    """Asks the process to stop, waits, and kills what is left after `seconds`; True if it obeyed.

    Only the leader is asked while it lives: it knows how to stop what it started.
    """
    deadline = time.monotonic() + seconds
    asked: set[int] = set()
    while alive := survivors(record):
        ask = [record.pid] if record.pid in alive else alive
        for pid in set(ask) - asked:
            _signal(pid, signal.SIGTERM)
            asked.add(pid)
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for pid in alive:
        _signal(pid, signal.SIGKILL)
    while alive and survivors(record) and time.monotonic() < deadline + 5:
        time.sleep(0.05)
    return not alive


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else str(int(psutil.boot_time()))


def _group(leader: int) -> list[int]:
    members = []
    for pid in psutil.pids():
        try:
            if pid != leader and os.getpgid(pid) == leader and start_of(pid):
                members.append(pid)
        except OSError:
            continue
    return members


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
