"""Starts parts, waits until they answer, starts them again when they die, stops them in order."""

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from stack.errors import InterruptedStartError, StackError, explained
from stack.parts.part import Part, Process, Program
from stack.supervision.holds import is_held

LOOK_SECONDS = 0.1
"""Between two looks at what is being started or watched."""

BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Before the first restart of a part that died, the second, and so on."""

MAX_DEATHS = 5
DEATH_WINDOW_SECONDS = 60.0
"""A part that dies so often in so short a time would go on dying."""

STORE_LOOK_SECONDS = 2.0
"""Between two looks at a store for whose return a dead process of ours waits."""


@dataclass
class Watched:
    """A program under supervision."""

    process: Process
    needs: Sequence[Part]
    deaths: deque[float] = field(default_factory=deque)
    restart_at: float | None = None
    answered: bool = True


class Supervisor:
    """The programs that were started, in order."""

    def __init__(
        self,
        folder: Path,
        *,
        working_folder: Path,
        say: Callable[[str], None],
        stop: threading.Event,
        max_deaths: int = MAX_DEATHS,
    ) -> None:
        self._folder = folder
        self._working_folder = working_folder
        self._say = say
        self._stop = stop
        self._max_deaths = max_deaths
        self._watched: list[Watched] = []
        self._lock = threading.Lock()

    def start(self, parts: Sequence[Part], *, needs: Sequence[Part] = ()) -> None:
        """Starts the parts side by side and waits until each answers.

        Raises StackError with the last log lines of one that does not get there. A part that dies
        later is only started again while all of `needs` answer.
        """
        with ThreadPoolExecutor(len(parts) or 1, thread_name_prefix="start") as pool:
            futures = [pool.submit(self._start_one, part, needs) for part in parts]
            for future in as_completed(futures):
                try:
                    future.result()
                except BaseException as error:
                    self._stop.set()  # so that the others are not waited for
                    sentence = explained(error) if isinstance(error, OSError) else None
                    raise sentence or error from error

    def process(self, name: str) -> Process:
        """The process of that name. Raises KeyError."""
        found = {watched.process.program.name: watched.process for watched in self._watched}
        return found[name]

    def watch(self) -> None:
        """Restarts what dies, until asked to stop. Raises StackError if one keeps dying."""
        while not self._stop.wait(LOOK_SECONDS):
            for watched in list(self._watched):
                self._look_at(watched)

    def stop(self, *, seconds: float | None = None) -> None:
        """Stops everything: last started, first stopped; what was started together, together."""
        with self._lock:
            groups: dict[tuple[str, ...], list[Watched]] = {}
            for watched in reversed(self._watched):
                groups.setdefault(tuple(part.name for part in watched.needs), []).append(watched)
            self._watched = []
        for group in groups.values():
            with ThreadPoolExecutor(len(group)) as pool:
                obeyed = pool.map(lambda one: one.process.stop(seconds=seconds), group)
                for watched, ok in zip(group, obeyed, strict=True):
                    if not ok:
                        self._say(f"{watched.process.program.name} had to be killed.")

    def _start_one(self, part: Part, needs: Sequence[Part]) -> None:
        started = time.monotonic()
        if not isinstance(part, Program):
            self._await(part, None)
            return
        process = Process(part, folder=self._folder, working_folder=self._working_folder)
        process.start()
        watched = Watched(process=process, needs=needs)
        with self._lock:
            self._watched.append(watched)
        self._await(part, process)
        process.note_descendants()
        self._say(f"{part.name} answers after {time.monotonic() - started:.1f} s.")

    def _await(self, part: Part, process: Process | None) -> None:
        deadline = time.monotonic() + part.start_seconds
        problem: str | None = "it does not answer"
        while time.monotonic() < deadline:
            if self._stop.is_set():
                raise InterruptedStartError
            if process and not process.alive():
                raise StackError(f"{part.name} ended while it was starting. {_last(process)}")
            problem = part.problem()
            if problem is None:
                return
            time.sleep(LOOK_SECONDS)
        where = _last(process) if process else "Is it running, and is its URL the right one?"
        raise StackError(
            f"{part.name} does not answer after {part.start_seconds:.0f} s: {problem}. {where}"
        )

    def _look_at(self, watched: Watched) -> None:
        process, program = watched.process, watched.process.program
        if watched.restart_at is not None:
            if time.monotonic() >= watched.restart_at:
                self._restart(watched)
            return
        if not process.alive():
            self._mourn(watched)
        elif not watched.answered and program.problem() is None:
            watched.answered = True
            process.note_descendants()
            self._say(f"{program.name} answers again.")

    def _mourn(self, watched: Watched) -> None:
        process, name = watched.process, watched.process.program.name
        how = _how_it_ended(process.exit_status())
        as_asked = is_held(process.run_folder, name)
        process.stop(seconds=5.0)  # what it may have left of its own
        now = time.monotonic()
        if as_asked:
            watched.restart_at = now
            self._say(f"{name} was stopped as asked; it is started again when it may be.")
            return
        if not _missing(watched.needs):  # else it is the store's death, not its own
            watched.deaths.append(now)
        while watched.deaths and watched.deaths[0] < now - DEATH_WINDOW_SECONDS:
            watched.deaths.popleft()
        count = len(watched.deaths)
        if count >= self._max_deaths:
            raise StackError(
                f"{name} has ended {count} times within {DEATH_WINDOW_SECONDS:.0f} s, at last "
                f"{how}. {_last(process)}"
            )
        delay = BACK_OFF_SECONDS[min(max(count - 1, 0), len(BACK_OFF_SECONDS) - 1)]
        watched.restart_at = now + delay
        self._say(f"{name} ended ({how}); it is started again in {delay:g} s.")

    def _restart(self, watched: Watched) -> None:
        process, program = watched.process, watched.process.program
        if is_held(process.run_folder, program.name):
            return
        if _missing(watched.needs):
            watched.restart_at = time.monotonic() + STORE_LOOK_SECONDS
            return
        watched.restart_at = None
        watched.answered = False
        try:
            process.start()
        except OSError as error:
            raise explained(error) or StackError(f"{program.name}: {error}") from error


def _missing(needs: Sequence[Part]) -> list[str]:
    """Which of these do not answer now."""
    return [part.name for part in needs if _problem(part)]


def _problem(part: Part) -> str | None:
    try:
        return part.problem()
    except StackError as error:
        return str(error)


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "nobody knows how"
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def _last(process: Process) -> str:
    lines = process.last_lines()
    if "No space left on device" in lines:
        return "The disk is full: free about 2 GB and run the same command again."
    return f"The end of {process.log}:\n{lines}" if lines else f"{process.log} is empty."
