"""An application under granian, with the command line of `make up`, for a test of the server."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack.parts.photofeed import Api
from stack.ports import HOST
from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]

    def worker_pids(self) -> list[int]:
        """The pids of its worker processes, the oldest first."""
        children = psutil.Process(self.process.pid).children()
        return [child.pid for child in sorted(children, key=lambda child: child.create_time())]


def asgi_command(app: str, port: int, *, workers: int = 1) -> Sequence[str]:
    """The command line of `make up` for another application."""
    return [*Api(port=port, workers=workers, env={}).command()[:-1], app]


def wsgi_command(app: str, port: int) -> Sequence[str]:
    """A server of a WSGI application, with more threads than requests that it works on."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", HOST),
        *("--port", str(port), "--http", "1", "--no-ws", "--blocking-threads", "16", app),
    ]


@contextmanager
def serving(
    command: Sequence[str], port: int, env: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The server, as soon as it accepts connections. It ends with the context."""
    process = subprocess.Popen(list(command), cwd=ROOT, env=os.environ | dict(env or {}))
    try:
        eventually(lambda: _accepts(port))
        yield Server(f"http://{HOST}:{port}", process)
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True
