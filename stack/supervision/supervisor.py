"""Starts parts, waits until they answer, restarts those that crash, stops all of them in order."""

import signal
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from stack.errors import InterruptedStartError, StackError, to_stack_error
from stack.parts.part import Part, Program
from stack.supervision.holds import is_on_hold
from stack.supervision.process import Process
from stack.terminal import Report

POLL_SECONDS = 0.1
"""Between two checks of a part that is starting or is supervised."""

BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Delay of a restart after the first crash, the second, and so on."""

MAX_CRASHES = 5
"""Crashes of one part within CRASH_WINDOW_SECONDS after which the supervisor gives up."""

CRASH_WINDOW_SECONDS = 60.0

CLEAN_UP_SECONDS = 5.0
"""From SIGTERM to SIGKILL for the descendants of a process that has ended."""

STORE_POLL_SECONDS = 2.0
"""Between two checks of the stores that a process needs before it is restarted."""


@dataclass
class SupervisedProcess:
    """A process and the state of its supervision."""

    process: Process
    needs: Sequence[Part]
    """Parts without which the process is not restarted."""
    crashes: deque[float] = field(default_factory=deque)
    """Monotonic times within CRASH_WINDOW_SECONDS."""
    restart_at: float | None = None
    """Monotonic time; None while the process runs."""
    ready: bool = True

    @property
    def name(self) -> str:
        """The part's name."""
        return self.process.program.name


class Supervisor:
    """The processes of a stack, in the order of their start."""

    def __init__(
        self,
        folder: Path,
        *,
        working_folder: Path,
        report: Report,
        stopping: threading.Event,
        max_crashes: int = MAX_CRASHES,
    ) -> None:
        self._folder = folder
        self._working_folder = working_folder
        self._report = report
        self._stopping = stopping
        self._max_crashes = max_crashes
        self._supervised: list[SupervisedProcess] = []
        self._lock = threading.Lock()

    def start(self, parts: Sequence[Part], *, needs: Sequence[Part] = ()) -> None:
        """Start the parts in parallel and wait until all of them answer.

        A part that crashes later is restarted only while all of `needs` answer. Raises StackError
        with the end of the log of a part that does not become ready.
        """
        with ThreadPoolExecutor(len(parts) or 1, thread_name_prefix="start") as pool:
            futures = [pool.submit(self._start_one, part, needs) for part in parts]
            for future in as_completed(futures):
                try:
                    future.result()
                except BaseException as error:
                    self._stopping.set()  # ends the other threads
                    translated = to_stack_error(error) if isinstance(error, OSError) else None
                    raise translated or error from error

    def process(self, name: str) -> Process:
        """The process of that name. Raises KeyError."""
        return {supervised.name: supervised.process for supervised in self._supervised}[name]

    def watch(self) -> None:
        """Restart crashed processes until the stack stops.

        Raises StackError if one crashes too often.
        """
        while not self._stopping.wait(POLL_SECONDS):
            for supervised in list(self._supervised):
                self._check(supervised)

    def stop(self, *, seconds: float | None = None) -> None:
        """Stop all processes in reverse order. Those with the same needs stop in parallel."""
        with self._lock:
            groups: dict[tuple[str, ...], list[SupervisedProcess]] = {}
            for supervised in reversed(self._supervised):
                needs = tuple(part.name for part in supervised.needs)
                groups.setdefault(needs, []).append(supervised)
            self._supervised = []
        for group in groups.values():
            with ThreadPoolExecutor(len(group)) as pool:
                results = pool.map(
                    lambda supervised: supervised.process.stop(seconds=seconds), group
                )
                for supervised, stopped in zip(group, results, strict=True):
                    if not stopped:
                        self._report(f"{supervised.name} had to be killed.")

    def _start_one(self, part: Part, needs: Sequence[Part]) -> None:
        began = time.monotonic()
        if not isinstance(part, Program):
            self._await_ready(part, None)
            return
        process = Process(part, folder=self._folder, working_folder=self._working_folder)
        process.start()
        with self._lock:
            self._supervised.append(SupervisedProcess(process=process, needs=needs))
        self._await_ready(part, process)
        process.record_descendants()
        self._report(f"{part.name} answers after {time.monotonic() - began:.1f} s.")

    def _await_ready(self, part: Part, process: Process | None) -> None:
        deadline = time.monotonic() + part.start_seconds
        problem: str | None = "no answer"
        while time.monotonic() < deadline:
            if self._stopping.is_set():
                raise InterruptedStartError
            if process and not process.alive():
                raise StackError(f"{part.name} ended while it was starting. {_log_tail(process)}")
            problem = part.problem()
            if problem is None:
                return
            time.sleep(POLL_SECONDS)
        hint = _log_tail(process) if process else "Is it running, and is its URL right?"
        raise StackError(
            f"{part.name} does not answer after {part.start_seconds:.0f} s: {problem}. {hint}"
        )

    def _check(self, supervised: SupervisedProcess) -> None:
        process = supervised.process
        if supervised.restart_at is not None:
            if time.monotonic() >= supervised.restart_at:
                self._restart(supervised)
        elif not process.alive():
            self._handle_end(supervised)
        elif not supervised.ready and process.program.problem() is None:
            supervised.ready = True
            process.record_descendants()
            self._report(f"{supervised.name} answers again.")

    def _handle_end(self, supervised: SupervisedProcess) -> None:
        """Clean up after a process that has ended, and plan its restart."""
        process, name = supervised.process, supervised.name
        cause = _cause_of_end(process.exit_status())
        on_hold = is_on_hold(process.run_folder, name)  # read before the record is removed
        process.stop(seconds=CLEAN_UP_SECONDS)
        now = time.monotonic()
        if on_hold:
            supervised.restart_at = now
            self._report(f"{name} is on hold; it is started again when the hold is released.")
            return
        crashes = self._count_crash(supervised, now)
        if crashes >= self._max_crashes:
            raise StackError(
                f"{name} has ended {crashes} times within {CRASH_WINDOW_SECONDS:.0f} s, at last "
                f"{cause}. {_log_tail(process)}"
            )
        delay = BACK_OFF_SECONDS[min(max(crashes - 1, 0), len(BACK_OFF_SECONDS) - 1)]
        supervised.restart_at = now + delay
        self._report(f"{name} ended ({cause}); it is started again in {delay:g} s.")

    def _count_crash(self, supervised: SupervisedProcess, now: float) -> int:
        """The number of crashes in the window, this one included.

        A process that ends while a store it needs is down has not crashed.
        """
        crashes = supervised.crashes
        if not _any_down(supervised.needs):
            crashes.append(now)
        while crashes and crashes[0] < now - CRASH_WINDOW_SECONDS:
            crashes.popleft()
        return len(crashes)

    def _restart(self, supervised: SupervisedProcess) -> None:
        process = supervised.process
        if is_on_hold(process.run_folder, supervised.name):
            return
        if _any_down(supervised.needs):
            supervised.restart_at = time.monotonic() + STORE_POLL_SECONDS
            return
        supervised.restart_at = None
        supervised.ready = False
        try:
            process.start()
        except OSError as error:
            unknown = StackError(f"{supervised.name}: {error}")
            raise to_stack_error(error) or unknown from error


def _any_down(parts: Sequence[Part]) -> bool:
    """Whether one of these parts does not answer now."""
    return any(not _is_up(part) for part in parts)


def _is_up(part: Part) -> bool:
    try:
        return part.problem() is None
    except StackError:
        return False


def _cause_of_end(status: int | None) -> str:
    if status is None:
        return "exit status unknown"
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def _log_tail(process: Process) -> str:
    lines = process.last_lines()
    if "No space left on device" in lines:
        return "The disk is full: free about 2 GB and run the same command again."
    return f"The end of {process.log}:\n{lines}" if lines else f"{process.log} is empty."
