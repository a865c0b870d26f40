"""A program that runs as a process."""

import os
import subprocess
from pathlib import Path

from stack.parts.part import Program
from stack.roles import without_secrets
from stack.supervision import records
from stack.supervision.records import Record, record_of

MAX_LOG_BYTES = 20_000_000
"""A larger log is renamed to `.log.1` when its part starts, replacing an older `.log.1`."""

LOG_TAIL_BYTES = 20_000


class Process:
    """A process in a session of its own, with a log and a record on disk.

    Ctrl-C in the terminal does not reach another session, so the launcher decides the order in
    which processes stop.
    """

    def __init__(self, program: Program, *, folder: Path, working_folder: Path) -> None:
        self.program = program
        self.run_folder = folder / "run"
        self.log = folder / "logs" / f"{program.name}.log"
        self._working_folder = working_folder
        self._popen: subprocess.Popen[bytes] | None = None
        self._record: Record | None = None

    @property
    def pid(self) -> int | None:
        """The pid, also after the process has ended; None before the first start."""
        return self._popen.pid if self._popen else None

    def start(self) -> None:
        """Start the program and write its record."""
        self.program.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.run_folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                list(self.program.command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._working_folder,
                env=without_secrets(os.environ) | dict(self.program.environment()),
                start_new_session=True,
            )
        self._record = record_of(self.program.name, self._popen.pid)
        self._record.write(self.run_folder)

    def record_descendants(self) -> None:
        """Add the program's own children to the record."""
        if self._record:
            self._record = self._record.with_descendants()
            self._record.write(self.run_folder)

    def exit_status(self) -> int | None:
        """The exit status, below 0 for a signal; None while the process runs."""
        return self._popen.poll() if self._popen else None

    def alive(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def stop(self, *, seconds: float | None = None) -> bool:
        """Stop the process and its descendants; False if one had to be killed."""
        if self._record is None or self._popen is None:
            return True
        limit = self.program.stop_seconds if seconds is None else seconds
        stopped = _stop_and_reap(self._popen, self._record, limit)
        records.remove(self.run_folder, self.program.name)
        return stopped

    def last_lines(self, count: int = 15) -> str:
        """The end of the log; empty if there is none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-count:])


def _stop_and_reap(popen: subprocess.Popen[bytes], record: Record, seconds: float) -> bool:
    """Stop the process and read its exit status, so that it leaves no zombie."""
    stopped = records.stop(record, seconds=seconds)
    try:
        popen.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return stopped
