"""What the supervisor knows of a part: how to start it, and whether it answers."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack.supervision import records
from stack.supervision.records import Record, record_of

MAX_LOG_BYTES = 20_000_000
"""A log that has grown beyond this is put aside (one older file is kept) when its part starts."""


class Part(ABC):
    """One thing that must run, or merely answer, before what stands on it is started."""

    name: str
    start_seconds: float = 30.0
    """How long it may take until it answers."""
    stop_seconds: float = 30.0
    """How long it may take to stop before it is killed."""

    @abstractmethod
    def problem(self) -> str | None:
        """Why it does not answer yet, or None once it really does.

        Raises StackError where waiting cannot help.
        """


class External(Part):
    """A part that somebody else runs: only asked whether it answers."""

    start_seconds = 15.0


class Program(Part):
    """A part that we run."""

    def prepare(self) -> None:
        """Makes what the program needs: files, folders. Called before each start."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line, without secrets: every user of the machine can read it."""

    def environment(self) -> Mapping[str, str]:
        """What is added to the environment of the stack itself."""
        return {}


class Process:
    """A program that has been started, in a session of its own.

    So Ctrl-C in the terminal does not reach it: it is stopped when its turn comes.
    """

    def __init__(self, program: Program, *, folder: Path, working_folder: Path) -> None:
        self.program = program
        self.run_folder = folder / "run"
        self.log = folder / "logs" / f"{program.name}.log"
        self._cwd = working_folder
        self._popen: subprocess.Popen[bytes] | None = None
        self._record: Record | None = None

    @property
    def pid(self) -> int | None:
        """Its pid, also after its death; None before the first start."""
        return self._popen.pid if self._popen else None

    def start(self) -> None:
        """Starts the program and records it."""
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
                cwd=self._cwd,
                env=os.environ | dict(self.program.environment()),
                start_new_session=True,
            )
        self._record = record_of(self.program.name, self._popen.pid)
        self._record.write(self.run_folder)

    def note_descendants(self) -> None:
        """Records also what the program has started itself."""
        if self._record:
            self._record = self._record.with_descendants()
            self._record.write(self.run_folder)

    def exit_status(self) -> int | None:
        """None while it runs; afterwards as subprocess has it: below 0 for a signal."""
        return self._popen.poll() if self._popen else None

    def alive(self) -> bool:
        """Whether it has been started and runs."""
        return self._popen is not None and self._popen.poll() is None

    def stop(self, *, seconds: float | None = None) -> bool:
        """Stops it and whatever it has started; False if it had to be killed."""
        if self._record is None or self._popen is None:
            return True
        limit = self.program.stop_seconds if seconds is None else seconds
        obeyed = _reaped(self._popen, self._record, limit)
        records.forget(self.run_folder, self.program.name)
        return obeyed

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 20_000))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-count:])


def _reaped(popen: subprocess.Popen[bytes], record: Record, seconds: float) -> bool:
    """Ends the process and takes its exit status, so that no zombie is left of it."""
    obeyed = records.end(record, seconds=seconds)
    try:
        popen.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return obeyed
