"""One Redis server: a time-out on every wait, and no retries."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import NoScriptError
from redis.retry import Retry

from storage.errors import StorageUnavailableError
from storage.redis.circuit import RedisCircuit
from storage.redis.pool import ConnectionPool
from storage.redis.protocol import PipelinedConnection
from storage.redis.scripts import Script

TIMEOUT_SECONDS = 0.5
"""For connecting, and for each wait for bytes."""
PING_TIMEOUT_SECONDS = 0.25
"""For connecting, and for the reply to a ping: 0.5 s together."""
MAX_CONNECTIONS = 64
"""Per process and server: for single commands, for packed buffers, and for pings, each."""


class Server:
    """One Redis server: a client for single commands, a pool for buffers, one circuit for both.

    The protocol is RESP2, so the server sends nothing but replies. CLIENT SETINFO is not sent: it
    would cost two round trips per connection. `check` signs in on each new connection, and raises
    if the server must not be used; pings do without it.
    """

    def __init__(
        self, part: str, url: str, *, check: Callable[[Connection], None] | None = None
    ) -> None:
        self.client = redis.Redis(connection_pool=_redis_pool(url, TIMEOUT_SECONDS, check))
        self.url = url
        self._part = part
        self._redis_pool = _redis_pool(url, TIMEOUT_SECONDS, check)
        self._ping_client = redis.Redis(connection_pool=_redis_pool(url, PING_TIMEOUT_SECONDS))
        self._circuit = RedisCircuit(part)
        self.pool = ConnectionPool(
            self._circuit,
            acquire=self._redis_pool.get_connection,
            release=self._redis_pool.release,
            timeout_seconds=TIMEOUT_SECONDS,
        )

    def guard(self) -> AbstractContextManager[None]:
        """Run calls of `client`. Raises StorageUnavailableError."""
        return self._circuit.guard()

    @contextmanager
    def connection(self) -> Iterator[PipelinedConnection]:
        """A connection for packed buffers of one caller. Raises StorageUnavailableError.

        It is closed after an error, or if replies are unread: no other caller may read them.
        """
        with self._circuit.guard():
            connection = self._redis_pool.get_connection()
            pipelined = PipelinedConnection(connection)
            try:
                yield pipelined
            except BaseException:
                connection.disconnect()  # type: ignore[no-untyped-call]
                raise
            else:
                if pipelined.unread:
                    connection.disconnect()  # type: ignore[no-untyped-call]
            finally:
                self._redis_pool.release(connection)

    def execute(self, commands: Sequence[bytes], *scripts: Script) -> list[Any]:
        """The replies to packed commands, sent together; raises the first error among them.

        For commands that may fail or be repeated: the call fails if its connection was closed
        within the last second. Loads the scripts if the server does not have them. Raises
        StorageUnavailableError, StorageRefusedError.
        """
        buffer = b"".join(commands)
        try:
            return self.pool.execute(buffer, len(commands))
        except StorageUnavailableError as error:
            if not scripts or not isinstance(error.__cause__, NoScriptError):
                raise
        self.pool.execute(b"".join([script.pack_load() for script in scripts]), len(scripts))
        return self.pool.execute(buffer, len(commands))

    def ping(self) -> None:
        """Return if the server answers now, even while the circuit is open.

        Raises StorageUnavailableError, StorageRefusedError.
        """
        with RedisCircuit(self._part).guard():
            self._ping_client.ping()

    def ensure_connection(self) -> None:
        """Return if there is a checked connection or one can be opened.

        Raises StorageUnavailableError.
        """
        with self._circuit.guard():
            self.client.ping()

    def setting(self, name: str) -> str | None:
        """A setting of the server, or None if the server does not allow CONFIG GET.

        `check` is not applied: the setting may show that this is the wrong server.
        """
        with self._circuit.guard():
            try:
                answer = self._ping_client.config_get(name)
            except redis.ResponseError:  # NOPERM, or a hosted service without CONFIG
                return None
        values = [v.decode() if isinstance(v, bytes) else str(v) for v in answer.values()]
        return values[0] if values else None

    def clients(self) -> list[dict[str, str]] | None:
        """The fields of CLIENT LIST, or None if the server does not allow it. Without `check`."""
        with self._circuit.guard():
            try:
                return self._ping_client.client_list()
            except redis.ResponseError:
                return None

    @property
    def database(self) -> int:
        """The number of the database that the URL names."""
        return int(self.client.connection_pool.connection_kwargs.get("db") or 0)

    def close(self) -> None:
        """Close every connection."""
        for pool in (self.client.connection_pool, self._redis_pool):
            pool.disconnect()
        self._ping_client.connection_pool.disconnect()


def _redis_pool(
    url: str, timeout_seconds: float, check: Callable[[Connection], None] | None = None
) -> redis.ConnectionPool:
    return redis.ConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
        redis_connect_func=check,
    )
