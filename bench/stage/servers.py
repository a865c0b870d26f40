"""Other apps under the product's own server: its command line, one worker, the same core."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from bench.stage.cores import SERVER, pin
from stack.parts.part import Program
from stack.parts.photofeed import Api
from stack.ports import HOST, choose
from stack.settings import ROOT
from stack.supervision.process import Process

FOLDER = ROOT / ".local" / "bench"
START_SECONDS = 30.0
LOOK_SECONDS = 0.1
ASK_SECONDS = 5.0


class Served(Program):
    """A server of somebody else's app."""

    def __init__(
        self, name: str, command: Sequence[str], *, url: str, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.url = url
        self._command = command
        self._env = env

    def command(self) -> Sequence[str]:
        """As given."""
        return self._command

    def environment(self) -> Mapping[str, str]:
        """The app's own, and where it is found."""
        return {"PYTHONPATH": str(ROOT), **self._env}

    def problem(self) -> str | None:
        """Whether anything answers."""
        try:
            requests.get(self.url, timeout=ASK_SECONDS)
        except requests.RequestException:
            return "it does not answer yet"
        return None


def granian(app: str, port: int, *, python: str = sys.executable) -> list[str]:
    """The product's command line with another app."""
    command = list(Api(port=port, workers=1, env={}).command())
    return [python, *command[1:-1], app]


@contextmanager
def granian_of(app: str, *, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Another app, served as the product is; its URL."""
    port = free_port()
    with served(app.replace(":", "-"), granian(app, port), port=port, env=env or {}) as url:
        yield url


@contextmanager
def served(
    name: str, command: Sequence[str], *, port: int, env: Mapping[str, str]
) -> Iterator[str]:
    """A server that answers, on the core of servers; its URL. Raises RuntimeError."""
    url = f"http://{HOST}:{port}"
    program = Served(name, command, url=url, env=env)
    with tempfile.TemporaryDirectory(prefix="served-", dir=_folder()) as folder:
        process = Process(program, folder=Path(folder), working_folder=ROOT)
        process.start()
        try:
            _answering(process, program)
            for pid in family(process.pid):
                pin(pid, SERVER)
            yield url
        finally:
            process.stop()


def family(pid: int | None) -> list[int]:
    """A process and all that it has started."""
    parent = psutil.Process(pid or os.getpid())
    return [parent.pid, *(child.pid for child in parent.children(recursive=True))]


def free_port() -> int:
    """One that nobody listens at."""
    return choose(
        ["api"], file=_folder() / "ports.json", defaults=None, requested=None, report=print
    )["api"]


def _folder() -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return FOLDER


def _answering(process: Process, program: Served) -> None:
    pause = threading.Event()
    for _ in range(int(START_SECONDS / LOOK_SECONDS)):
        if not process.alive():
            break
        if program.problem() is None:
            return
        pause.wait(LOOK_SECONDS)
    raise RuntimeError(f"{program.name} does not answer:\n{process.last_lines()}")
