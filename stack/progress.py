"""How far fetching is: a bar at a terminal, a line now and then elsewhere."""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

LINE_SECONDS = 5.0
"""Between two lines where there is no terminal."""


class Progress:
    """Jars done of all, and megabytes arrived. Called from several threads."""

    def __init__(self, title: str, *, done: int, total: int) -> None:
        self._title = title
        self._done = done
        self._total = total
        self._bytes = 0
        self._lock = threading.Lock()
        self._next_line = 0.0
        self._console = Console()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("jars, {task.fields[megabytes]:.0f} MB"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task(title, total=total, completed=done, megabytes=0.0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._bar.stop() if self._console.is_terminal else self._line()

    def bytes_arrived(self, count: int) -> None:
        """A part of some jar has arrived."""
        with self._lock:
            self._bytes += count
            self._show()

    def jar_done(self) -> None:
        """A jar is whole, verified and in its place."""
        with self._lock:
            self._done += 1
            self._show()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._bar.update(self._task, completed=self._done, megabytes=self._bytes / 1e6)
        elif time.monotonic() > self._next_line:
            self._line()

    def _line(self) -> None:
        self._next_line = time.monotonic() + LINE_SECONDS
        megabytes = self._bytes / 1e6
        print(f"{self._title}: {self._done} of {self._total} jars, {megabytes:.0f} MB", flush=True)
