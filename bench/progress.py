"""How far a run is: a bar at a terminal, a line every few seconds elsewhere; on stderr."""

import sys
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
    """Rows done of all, and what the present one is at. Its own thread does next to nothing."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._row = ""
        self._doing = ""
        self._began = time.monotonic()
        self._over = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            refresh_per_second=1,  # it takes its time from the row that is being measured
        )
        self._task = self._bar.add_task("bench", total=total)

    def __enter__(self) -> Self:
        self._bar.start() if self._terminal else self._ticker.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._terminal:
            self._bar.stop()

    def row(self, name: str) -> None:
        """Another row begins."""
        self._row, self._doing, self._began = name, "", time.monotonic()

    def say(self, doing: str) -> None:
        """What the row is at."""
        self._doing = doing
        if self._terminal:
            self._bar.update(self._task, description=f"{self._row}: {doing}")

    def row_done(self, line: str) -> None:
        """The row is over; its line stays."""
        self._done += 1
        if self._terminal:
            self._bar.update(self._task, completed=self._done)
            self._bar.console.print(line, highlight=False, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def _tick(self) -> None:
        while not self._over.wait(LINE_SECONDS):
            seconds = time.monotonic() - self._began
            print(
                f"{self._done} of {self._total} rows done; {self._row}: {self._doing}"
                f" ({seconds:.0f} s)",
                file=sys.stderr,
                flush=True,
            )
