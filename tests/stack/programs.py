"""Small programs for a supervisor to run, and a stack small enough to start in a moment."""

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
DIES = "print('the reason stands here', flush=True)\nraise SystemExit(3)"


class Script(Program):
    """A few lines of Python. It answers when they have written something."""

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
        written = self._log.exists() and self._log.stat().st_size
        return None if written and self.answers else "silent"


class Bench:
    """A supervisor with what it has said, its watch running in a thread."""

    def __init__(self, folder: Path, *, max_deaths: int = 5) -> None:
        self.said: list[str] = []
        self.error: Exception | None = None
        self.stopping = threading.Event()
        self.supervisor = Supervisor(
            folder,
            working_folder=folder,
            say=self.said.append,
            stop=self.stopping,
            max_deaths=max_deaths,
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

    def replaced(self, name: str, pid: int) -> bool:
        """Whether another process has taken its place, or the supervisor has given up."""
        return self.pid(name) != pid or self.error is not None

    def heard(self, text: str) -> bool:
        return any(text in line for line in self.said)

    def _watch(self) -> None:
        try:
            self.supervisor.watch()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error


@contextmanager
def redis_stack(folder: Path, **settings: object) -> Iterator[tuple[LocalStack, list[str]]]:
    """A stack of the two Redis servers alone, and what it has said."""
    said: list[str] = []
    stack = LocalStack(
        StackSettings(folder=folder, **settings),  # type: ignore[arg-type]
        stores=REDIS,
        say=said.append,
    )
    with stack:
        yield stack, said
