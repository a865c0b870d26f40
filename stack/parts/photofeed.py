"""Our own processes, known here as command lines only."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from stack.errors import InterruptedStartError, StackError
from stack.parts.part import Program
from stack.ports import HOST

WORKERS = ("photos", "fanout", "fanout-large", "timelines", "removal", "sweeper")
"""What `python -m workers` can be: a queue each, and the sweeper."""

ASK_SECONDS = 5.0
OK = 200
INITIAL_SECONDS = 60
INITIAL_TRIES = 3
HANDOVER_SECONDS = 15
"""At a reload granian stops an old worker so long after it has started the new one, ready or not:
one needs 1 to 2 s until it answers, and many times that on a busy machine. Until then connections
would be refused. (A worker that died is replaced at once.)"""

STEADY_SECONDS = 0.5
"""A worker has no door to knock at: it counts as started when it has lived this long."""


class Api(Program):
    """The web processes, under granian."""

    name = "api"
    start_seconds = 120.0
    stop_seconds = 40.0

    def __init__(self, *, port: int, workers: int, env: Mapping[str, str]) -> None:
        self._port = port
        self._workers = workers
        self._env = env
        self.url = f"http://{HOST}:{port}"

    def command(self) -> Sequence[str]:
        """One process a core; its threads are kept for 10 minutes with their connections.

        Eight requests are worked on at once; the other threads refuse or wait, by
        api/http/load_shedding.py.
        """
        return [
            *(sys.executable, "-m", "granian", "--interface", "wsgi"),
            *("--host", HOST, "--port", str(self._port), "--http", "1", "--no-ws"),
            *("--workers", str(self._workers), "--blocking-threads", "32"),
            *("--blocking-threads-idle-timeout", "600", "--workers-kill-timeout", "30"),
            *("--respawn-failed-workers", "--respawn-interval", str(HANDOVER_SECONDS)),
            *("--log-config", "observing/granian_log.json", "wsgi:app"),
        ]

    def environment(self) -> Mapping[str, str]:
        """The stores and secrets."""
        return self._env

    def problem(self) -> str | None:
        """Its own readiness check says whether it reaches all stores."""
        return _status_problem(f"{self.url}/readyz", {OK})


class Admin(Program):
    """rq-dashboard and metrics, behind a password."""

    name = "admin"
    start_seconds = 120.0

    def __init__(self, *, port: int, env: Mapping[str, str]) -> None:
        self._env = env
        self.url = f"http://{HOST}:{port}"

    def command(self) -> Sequence[str]:
        """Takes its port from the environment."""
        return [sys.executable, "-m", "api", "admin"]

    def environment(self) -> Mapping[str, str]:
        """The stores and secrets."""
        return self._env

    def problem(self) -> str | None:
        """It answers when it asks who we are."""
        return _status_problem(f"{self.url}/", {OK, 401})


class Worker(Program):
    """One queue, or the sweeper."""

    start_seconds = 30.0
    stop_seconds = 70.0
    """A job under way is finished first; RQ gives it 60 s."""

    def __init__(self, name: str, *, env: Mapping[str, str]) -> None:
        self.name = name
        self._env = env
        self._started = 0.0

    def prepare(self) -> None:
        """Takes the time."""
        self._started = time.monotonic()

    def command(self) -> Sequence[str]:
        """Its name is its queue."""
        return [sys.executable, "-m", "workers", self.name]

    def environment(self) -> Mapping[str, str]:
        """The stores and secrets."""
        return self._env

    def problem(self) -> str | None:
        """Still alive a little later: the supervisor sees a death by itself."""
        young = time.monotonic() - self._started < STEADY_SECONDS
        return "it has only just been started" if young else None


def _status_problem(url: str, good: set[int]) -> str | None:
    try:
        status = requests.get(url, timeout=ASK_SECONDS).status_code
    except requests.RequestException:
        return "it does not answer yet"
    return None if status in good else f"it answers {status}"


class Initial:
    """`python -m api init`: schema and bucket. Run to its end before each start of ours."""

    def __init__(self, *, env: Mapping[str, str], log: Path, stop: threading.Event) -> None:
        self._env = env
        self._log = log
        self._stop = stop

    def run(self, working_folder: Path) -> None:
        """Raises StackError with what it said if it fails every time.

        A store that has only just been started is slow: so it is tried more than once.
        """
        tries = (self._once(working_folder) for _ in range(INITIAL_TRIES))
        if not any(tries):
            end = self._log.read_text()[-2000:]
            raise StackError(f"The stores could not be prepared (python -m api init):\n{end}")

    def _once(self, working_folder: Path) -> bool:
        with self._log.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "api", "init"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_folder,
                env=os.environ | dict(self._env),
                start_new_session=True,  # Ctrl-C is for the stack, which then stops it
            )
        deadline = time.monotonic() + INITIAL_SECONDS
        while process.poll() is None:
            if self._stop.wait(0.05) or time.monotonic() > deadline:
                process.kill()
                process.wait()
        if self._stop.is_set():
            raise InterruptedStartError
        return process.returncode == 0
