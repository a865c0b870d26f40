"""Other apps on the product's server, with one worker, on the same core."""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import requests

from bench.stage.cores import SERVER, pin, process_tree
from bench.stage.folders import FOLDER, temporary_folder
from stack.parts.part import Program
from stack.parts.photofeed import Api
from stack.ports import HOST, choose
from stack.settings import ROOT
from stack.supervision.process import Process

START_SECONDS = 30.0
POLL_SECONDS = 0.05
REQUEST_SECONDS = 5.0


class ServerProgram(Program):
    """A server of another app, as the stack's Process runs it."""

    def __init__(
        self, name: str, command: Sequence[str], *, url: str, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.url = url
        self._command = command
        self._env = env

    def command(self) -> Sequence[str]:
        """The command line."""
        return self._command

    def environment(self) -> Mapping[str, str]:
        """The app's environment, and the path of its module."""
        return {"PYTHONPATH": str(ROOT), **self._env}

    def problem(self) -> str | None:
        """None as soon as the server answers any request."""
        try:
            requests.get(self.url, timeout=REQUEST_SECONDS)
        except requests.RequestException:
            return "it does not answer yet"
        return None


WSGI_THREADS = 4
"""Threads of a WSGI app: more of them are slower, as they share one interpreter."""


@contextmanager
def running_app(app: str, interface: Literal["asgi", "wsgi"]) -> Iterator[str]:
    """An app on the product's server; its URL."""
    port = free_port()
    command = _asgi_command(app, port) if interface == "asgi" else _wsgi_command(app, port)
    with running_server(app.replace(":", "-"), command, port=port, env={}) as url:
        yield url


@contextmanager
def running_server(
    name: str, command: Sequence[str], *, port: int, env: Mapping[str, str]
) -> Iterator[str]:
    """A ready server on the servers' core; its URL. Raises RuntimeError."""
    url = f"http://{HOST}:{port}"
    program = ServerProgram(name, command, url=url, env=env)
    with temporary_folder("server-") as folder:
        process = Process(program, folder=folder, working_folder=ROOT)
        process.start()
        try:
            wait_until_ready(process, program)
            for pid in process_tree(process.pid):
                pin(pid, SERVER)
            yield url
        finally:
            process.stop()


def _asgi_command(app: str, port: int) -> Sequence[str]:
    """The product's own command line, with one worker."""
    command = list(Api(port=port, workers=1, env={}).command())
    return [sys.executable, *command[1:-1], app]


def _wsgi_command(app: str, port: int) -> Sequence[str]:
    """The same server on its other interface."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi"),
        *("--host", HOST, "--port", f"{port}", "--http", "1", "--no-ws", "--workers", "1"),
        *("--blocking-threads", f"{WSGI_THREADS}", "--blocking-threads-idle-timeout", "600"),
        *("--log-config", "observing/granian_log.json", app),
    ]


def wait_until_ready(process: Process, program: Program) -> None:
    """Return when the program has no problem. Raises RuntimeError with the end of its log."""
    pause = threading.Event()
    for _ in range(int(START_SECONDS / POLL_SECONDS)):
        if not process.alive():
            break
        if program.problem() is None:
            return
        pause.wait(POLL_SECONDS)
    raise RuntimeError(f"{program.name} does not answer:\n{process.last_lines()}")


def free_port() -> int:
    """A port on which nothing listens."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    ports = choose(["api"], file=FOLDER / "ports.json", defaults=None, requested=None, report=print)
    return ports["api"]
