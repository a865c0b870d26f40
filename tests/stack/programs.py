"""Small programs for a supervisor, and a stack that starts within a moment."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stack import LocalStack, StackSettings
from stack.parts.part import Program
from stack.supervision.supervisor import Supervisor

REDIS = ("queue", "cache")
SLEEPS = "import time\nprint('awake', flush=True)\ntime.sleep(600)"
EXITS = "print('the cause is in the log', flush=True)\nraise SystemExit(3)"


class Script(Program):
    """A few lines of Python. It is ready once it has written to its log."""

    start_seconds = 60.0
    stop_seconds = 1.0

    def __init__(self, name: str, text: str, *, folder: Path) -> None:
        self.name = name
        self.answers = True
        self._text = text
        self._log = folder / "logs" / f"{name}.log"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self._text]

    def problem(self) -> str | None:
        has_output = self._log.exists() and self._log.stat().st_size
        return None if has_output and self.answers else "silent"


class Supervision:
    """A supervisor with the lines it reports. Its watch() runs in a thread."""

    def __init__(self, folder: Path, *, max_crashes: int = 5) -> None:
        self.lines: list[str] = []
        self.error: Exception | None = None
        self.stopping = threading.Event()
        self.supervisor = Supervisor(
            folder,
            working_folder=folder,
            report=self.lines.append,
            stopping=self.stopping,
            max_crashes=max_crashes,
        )
        self._thread = threading.Thread(target=self._watch)

    def watch(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self._thread.ident:
            self._thread.join()
        self.supervisor.stop()

    def pid(self, name: str) -> int:
        pid = self.supervisor.process(name).pid
        assert pid is not None
        return pid

    def is_replaced(self, name: str, pid: int) -> bool:
        """Whether the process has another pid, or the supervisor has given up."""
        return self.pid(name) != pid or self.error is not None

    def has_reported(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def _watch(self) -> None:
        try:
            self.supervisor.watch()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error


@contextmanager
def redis_stack(folder: Path, **settings: object) -> Iterator[tuple[LocalStack, list[str]]]:
    """A stack of the two Redis servers alone, and the lines it reports."""
    lines: list[str] = []
    stack = LocalStack(
        StackSettings(folder=folder, **settings),  # type: ignore[arg-type]
        stores=REDIS,
        report=lines.append,
    )
    with stack:
        yield stack, lines
