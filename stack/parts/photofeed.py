"""Photofeed's own processes. They are command lines here: stack imports no code of theirs."""

import os
import resource
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
from stack.roles import without_secrets

WORKERS = (
    *("photos", "fanout", "fanout-large", "timelines", "removal", "exports"),
    *("sweeper", "notifier"),
)
"""The arguments of `python -m workers`: each queue, the sweeper and the notifier.

A test compares the names with those of the product.
"""

CHECK_SECONDS = 5.0
"""The time-out of a readiness check."""
OK = 200
UNAUTHORIZED = 401

PREPARE_SECONDS = 60
PREPARE_TRIES = 3
"""A store that has just been started is slow, so preparing it is tried more than once."""

RESPAWN_SECONDS = 15
"""On a reload granian starts a new worker and stops the old one after this delay, ready or not.

A worker needs 1 to 2 s until it answers, and many times that on a busy machine; with a shorter
delay connections would be refused. A worker that has died is replaced without a delay.
"""

CONNECTIONS = 16_384
"""Connections that one web process holds at once. Further ones wait in the system's backlog."""

OTHER_FILES = 512
"""File descriptors of a web process that are not clients: stores, logs, libraries."""

HEADER_BYTES = 64 * 1024
"""What the server keeps of a request's headers, for each connection. The API refuses 16 kB."""

HEADER_SECONDS = 30
"""How long a request's headers may take, and how long a connection may be idle."""

STEADY_SECONDS = 0.5
"""A worker listens on no port, so it counts as ready after this time."""


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
        """Granian with `workers` processes, an event loop each (asgi.py).

        Connections are cheap, so each process takes many; what they may ask for at once is bounded
        by asgi.py. Slow and idle clients are bounded by time.
        """
        return [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--loop", "uvloop"),
            *("--host", HOST, "--port", str(self._port), "--http", "1", "--no-ws"),
            *("--workers", str(self._workers), "--backpressure", str(_connections())),
            *("--http1-header-read-timeout", str(HEADER_SECONDS * 1000)),
            *("--http1-buffer-size", str(HEADER_BYTES)),
            *("--workers-kill-timeout", "30"),
            *("--respawn-failed-workers", "--respawn-interval", str(RESPAWN_SECONDS)),
            *("--log-config", "observing/granian_log.json", "asgi:app"),
        ]

    def environment(self) -> Mapping[str, str]:
        """The addresses of the stores, secrets and settings."""
        return self._env

    def problem(self) -> str | None:
        """Why /readyz does not answer 200, which needs the graph or the cache; None if it does."""
        return _status_problem(f"{self.url}/readyz", {OK})


class Admin(Program):
    """The admin app: jobs, events and metrics, behind a password."""

    name = "admin"
    start_seconds = 120.0

    def __init__(self, *, port: int, env: Mapping[str, str]) -> None:
        self._env = env
        self.url = f"http://{HOST}:{port}"

    def command(self) -> Sequence[str]:
        """The app reads its port from ADMIN_PORT."""
        return [sys.executable, "-m", "api", "admin"]

    def environment(self) -> Mapping[str, str]:
        """The addresses of the stores, secrets and settings."""
        return self._env

    def problem(self) -> str | None:
        """Why the app does not answer; None if it does, even with 401 as no password is sent."""
        return _status_problem(f"{self.url}/", {OK, UNAUTHORIZED})


class Worker(Program):
    """The worker of a queue, the sweeper or the notifier."""

    start_seconds = 30.0
    stop_seconds = 70.0
    """A worker finishes its job first. RQ stops a job after 60 s."""

    def __init__(self, name: str, *, env: Mapping[str, str]) -> None:
        self.name = name
        self._env = env
        self._started = 0.0

    def prepare(self) -> None:
        """Record the time of the start."""
        self._started = time.monotonic()

    def command(self) -> Sequence[str]:
        """The worker of the queue of the same name."""
        return [sys.executable, "-m", "workers", self.name]

    def environment(self) -> Mapping[str, str]:
        """The addresses of the stores, secrets and settings."""
        return self._env

    def problem(self) -> str | None:
        """None after STEADY_SECONDS. The supervisor notices a process that has ended."""
        is_new = time.monotonic() - self._started < STEADY_SECONDS
        return "it has just been started" if is_new else None


def prepare_stores(
    *, env: Mapping[str, str], log: Path, working_folder: Path, stopping: threading.Event
) -> None:
    """Run `python -m api init` to its end: it applies the schema and creates the bucket.

    Raises StackError with the end of its output if every try fails, InterruptedStartError once
    `stopping` is set.
    """
    tries = (_run_init(env, log, working_folder, stopping) for _ in range(PREPARE_TRIES))
    if not any(tries):
        end = log.read_text()[-2000:]
        raise StackError(f"The stores could not be prepared (python -m api init):\n{end}")


def public_key_of(vapid_private_key: str, *, working_folder: Path) -> str:
    """The public key of Web Push, which the API needs without the private one.

    Raises StackError if the private key is not one.
    """
    result = subprocess.run(
        [sys.executable, "-m", "web_push"],
        cwd=working_folder,
        env=without_secrets(os.environ) | {"VAPID_PRIVATE_KEY": vapid_private_key},
        capture_output=True,
        text=True,
        timeout=PREPARE_SECONDS,
        check=False,
    )
    if result.returncode:
        raise StackError(result.stderr.strip()[-1000:])
    return result.stdout.strip()


def _run_init(
    env: Mapping[str, str], log: Path, working_folder: Path, stopping: threading.Event
) -> bool:
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", "init"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=working_folder,
            env=without_secrets(os.environ) | dict(env),
            start_new_session=True,  # Ctrl-C must reach the launcher alone
        )
    deadline = time.monotonic() + PREPARE_SECONDS
    while process.poll() is None:
        if stopping.wait(0.05) or time.monotonic() > deadline:
            process.kill()
            process.wait()
    if stopping.is_set():
        raise InterruptedStartError
    return process.returncode == 0


def _connections() -> int:
    """CONNECTIONS, or what the hard limit of file descriptors allows. granian raises the soft one.

    At that limit a server tries to accept all the time, and can open no file and no store.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(1, min(CONNECTIONS, limit - OTHER_FILES))


def _status_problem(url: str, good: set[int]) -> str | None:
    try:
        status = requests.get(url, timeout=CHECK_SECONDS).status_code
    except requests.RequestException:
        return "it does not answer yet"
    return None if status in good else f"it answers {status}"
