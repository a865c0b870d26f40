"""The progress of long work: a bar at a terminal, a line every few seconds elsewhere."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

LINE_SECONDS = 5.0
"""Seconds between two lines if there is no terminal."""

REFRESHES_PER_SECOND = 1
"""Of the bar. Low, because redrawing takes CPU time from the work, which the bench measures."""


class Progress:
    """A context manager that shows how much of some work is done. Thread-safe.

    Without a terminal, a thread prints a line every LINE_SECONDS, also while the work makes no
    progress; the last line is printed at the end:

        <title>: <done> of <total> <unit>, <detail> (<elapsed> s)
    """

    def __init__(
        self, title: str, total: int, *, unit: str = "", done: int = 0, stderr: bool = False
    ) -> None:
        self._title = title
        self._total = total
        self._unit = unit
        self._done = done
        self._detail = ""
        self._stderr = stderr
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._printer = threading.Thread(target=self._print_lines, daemon=True)
        console = Console(stderr=stderr)
        self._at_terminal = console.is_terminal
        self._bar = Bar(
            TextColumn("{task.description:<20}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self._task = self._bar.add_task(title, total=total, completed=done, text=self._text())

    def __enter__(self) -> Self:
        self._bar.start() if self._at_terminal else self._printer.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._at_terminal:
            self._bar.stop()
        else:
            self._printer.join()
            self._print(self._line())

    def advance(self, count: int = 1) -> None:
        """Add `count` to the work done."""
        with self._lock:
            self._done += count
            self._update()

    def describe(self, detail: str) -> None:
        """Replace the detail: what is being done, or an amount of another unit."""
        with self._lock:
            self._detail = detail
            self._update()

    def print(self, line: str) -> None:
        """Print a line of its own that stays: above the bar, or among the lines."""
        if self._at_terminal:
            self._bar.console.print(line, highlight=False, markup=False)
        else:
            self._print(line)

    def _update(self) -> None:
        if self._at_terminal:
            self._bar.update(self._task, completed=self._done, text=self._text())

    def _text(self) -> str:
        return ", ".join(part for part in (self._unit, self._detail) if part)

    def _print_lines(self) -> None:
        while not self._ended.wait(LINE_SECONDS):
            self._print(self._line())

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        count = f"{self._done} of {self._total} {self._unit}".rstrip()
        detail = f", {self._detail}" if self._detail else ""
        return f"{self._title}: {count}{detail} ({seconds:.0f} s)"

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr if self._stderr else sys.stdout, flush=True)
