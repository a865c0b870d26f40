"""Records of started processes, on disk: a later launcher finds what a killed one left running.

A process is identified by its pid and its start time, never by its name.
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
"""Index of the start time, in ticks since boot, among the fields of /proc/PID/stat that follow
the command's name."""

POLL_SECONDS = 0.05
DESCENDANTS_KEY = "also"
"""The key of the descendants in a record's file; a running stack of an older version has it."""

KILL_SECONDS = 5
"""How long a process that got SIGKILL is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A process of ours. It leads a session and a process group, whose id is its pid."""

    name: str
    pid: int
    started: str
    """As start_of() returns it."""
    descendants: dict[str, str] = field(default_factory=dict)
    """Pid → start."""

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return start_of(self.pid) == self.started

    def write(self, folder: Path) -> None:
        """Store the record in `folder`. Replaces an older one of the same name."""
        draft = folder / f"{self.name}.json.new"
        draft.write_text(self.to_json())
        draft.replace(folder / f"{self.name}.json")

    def to_json(self) -> str:
        """The text of the record's file, with the keys that launchers of every version read."""
        fields = asdict(self)
        descendants = fields.pop("descendants")
        return json.dumps({**fields, DESCENDANTS_KEY: descendants})

    def with_descendants(self) -> "Record":
        """The record with the descendants that run now added to it."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.Error:
            return self
        started = {str(child.pid): start_of(child.pid) or "" for child in children}
        return Record(
            name=self.name,
            pid=self.pid,
            started=self.started,
            descendants=self.descendants | started,
        )


def record_of(name: str, pid: int) -> Record:
    """The record of a process that has just been started."""
    return Record(name=name, pid=pid, started=start_of(pid) or "")


def read(folder: Path, name: str) -> Record | None:
    """The record of that name; None if it is missing or damaged."""
    return read_file(folder / f"{name}.json")


def read_file(path: Path) -> Record | None:
    """The record in a file; None if the file is missing or damaged."""
    try:
        fields = json.loads(path.read_text())
        return Record(descendants=fields.pop(DESCENDANTS_KEY, {}), **fields)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def read_all(folder: Path) -> list[Record]:
    """All records, the last started first."""
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [record for path in paths if (record := read(folder, path.stem))]


def remove(folder: Path, name: str) -> None:
    """Remove the record of that name, if there is one."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def start_of(pid: int) -> str | None:
    """When the process started, as a text that is unique over processes and boots; None if ended.

    On Linux it holds the kernel's ticks, so a change of the wall clock does not change it.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else f"{_boot()}:{fields[START_FIELD]}"
    except OSError:
        pass
    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if is_zombie else f"{_boot()}:{process.create_time()}"
    except psutil.Error:
        return None


def running_pids(record: Record) -> list[int]:
    """The pids that still run of the process, its descendants and its group."""
    descendants = {int(pid): start for pid, start in record.descendants.items()}
    pids = {pid for pid, start in descendants.items() if start_of(pid) == start}
    leader = start_of(record.pid)
    if leader == record.started:
        pids.add(record.pid)
    if leader in (record.started, None) and record.started.startswith(_boot()):
        # The kernel reuses no pid that is still the id of a group. So if the leader has ended,
        # a group of that id is ours.
        pids |= set(_group(record.pid))
    return sorted(pids)


def stop(record: Record, *, seconds: float) -> bool:
    """Stop the process: SIGTERM, then SIGKILL after `seconds`; True if SIGTERM was enough.

    While the leader runs, only the leader gets SIGTERM: it stops its own children.
    """
    deadline = time.monotonic() + seconds
    signalled: set[int] = set()
    while running := running_pids(record):
        targets = {record.pid} if record.pid in running else set(running)
        for pid in targets - signalled:
            _signal(pid, signal.SIGTERM)
        signalled |= targets
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    for pid in running:
        _signal(pid, signal.SIGKILL)
    while running and running_pids(record) and time.monotonic() < deadline + KILL_SECONDS:
        time.sleep(POLL_SECONDS)
    return not running


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else str(int(psutil.boot_time()))


def _group(leader: int) -> list[int]:
    """The other members of the leader's process group that run."""
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
