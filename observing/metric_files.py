"""The files of PROMETHEUS_MULTIPROC_DIR: each process writes its own, and they are added up.

prometheus_client writes a file for each type of metric and process: `counter_<pid>.db`,
`histogram_<pid>.db`, `gauge_livesum_<pid>.db`. It never removes one. Here the counters and
histograms of processes that have ended are added to an archive, and their gauges are removed, so
that totals stay and the number of files is bounded by the processes that run.

An archive `counter_archive-<n>.db` has the files that were set aside as `….db.<k>`, k ≤ n. Writing
it under its name is the only step that counts: whatever a process that dies in between has left is
finished by the next one, and no value is lost or added twice.
"""

import contextlib
import fcntl
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from prometheus_client.mmap_dict import MmapedDict

_LOCK = "lock"
_OF_PROCESS = re.compile(r"(?P<kind>[a-z]+(?:_[a-z]+)?)_(?P<pid>\d+)\.db")
_ARCHIVE = re.compile(r"(?P<kind>[a-z]+)_archive-(?P<number>\d+)\.db")
_SET_ASIDE = re.compile(r"(?P<kind>[a-z]+)_\d+\.db\.(?P<number>\d+)")
_ADDED_UP = ("counter", "histogram", "summary")
"""The types whose values are added up when a process has ended."""
_FORGOTTEN = "gauge_live"
"""Prefix of the types that count running processes alone."""


@contextmanager
def settled(folder: Path) -> Iterator[list[Path]]:
    """The files to add up, those of ended processes in archives. They stay until the context ends.

    Callers wait for each other: a file that moves during a reading would be counted twice or not
    at all, and a total that falls looks to Prometheus like a restart.
    """
    with (folder / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released with the file, also by the kernel
        _forget_gauges(folder)
        for kind in _ADDED_UP:
            _archive(folder, kind)
        # A process that is just starting has an empty file.
        yield [path for path in folder.glob("*.db") if path.stat().st_size]


def _forget_gauges(folder: Path) -> None:
    for path in _of_ended_processes(folder):
        if path.name.startswith(_FORGOTTEN):
            _set_aside(path, Path(f"{path}.gone"))
    for aside in folder.glob("*.gone"):
        aside.unlink()


def _archive(folder: Path, kind: str) -> None:
    """Add the files of ended processes to the archive of their type."""
    number = _clean_up(folder, kind) + 1
    for path in _of_ended_processes(folder):
        aside = Path(f"{path}.{number}")
        if path.name.startswith(f"{kind}_") and not aside.exists():
            _set_aside(path, aside)
    parts = [path for path, _ in _numbered(folder, _SET_ASIDE, kind)]
    if not parts:
        return
    old = [path for path, _ in _numbered(folder, _ARCHIVE, kind)]
    _write_sum(folder / f"{kind}_archive-{number}.db", [*old, *parts])
    _clean_up(folder, kind)


def _clean_up(folder: Path, kind: str) -> int:
    """Remove what the newest archive of the type has; returns its number, 0 if there is none."""
    archives = _numbered(folder, _ARCHIVE, kind)
    newest = max((number for _, number in archives), default=0)
    for path, number in archives:
        if number < newest:
            path.unlink()
    for path, number in _numbered(folder, _SET_ASIDE, kind):
        if number <= newest or path.stat().st_nlink > 1:  # the second name is of a running process
            path.unlink()
    return newest


def _write_sum(target: Path, parts: list[Path]) -> None:
    """Write the sums of the parts' values to the target, whole or not at all."""
    sums: dict[str, float] = defaultdict(float)
    for part in parts:
        if part.stat().st_size:
            values = MmapedDict.read_all_values_from_file(str(part))  # type: ignore[no-untyped-call]
            for key, value, _time, _position in values:
                sums[key] += value
    draft = target.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    written = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    draft.replace(target)


def _set_aside(path: Path, aside: Path) -> None:
    """Rename the file of an ended process, unless a new process has its pid and writes to it.

    A process that opened the file before it was renamed is found running afterwards, and gets it
    back. One that starts later makes a new file.
    """
    path.rename(aside)
    if _runs(path):
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)  # unlike a rename it never replaces a new file
            aside.unlink()


def _of_ended_processes(folder: Path) -> list[Path]:
    files = [path for path in folder.glob("*.db") if _OF_PROCESS.fullmatch(path.name)]
    return [path for path in files if not _runs(path)]


def _runs(path: Path) -> bool:
    """Whether a process with the pid in the file's name runs."""
    match = _OF_PROCESS.fullmatch(path.name)
    return match is not None and psutil.pid_exists(int(match["pid"]))  # no thread's id


def _numbered(folder: Path, form: re.Pattern[str], kind: str) -> list[tuple[Path, int]]:
    """The files of that form and type with their numbers."""
    matches = ((path, form.fullmatch(path.name)) for path in folder.iterdir())
    return [
        (path, int(match["number"])) for path, match in matches if match and match["kind"] == kind
    ]
