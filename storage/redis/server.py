"""How a Redis server is reached: a time-out on every wait, no retries."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import NoScriptError
from redis.retry import Retry

from storage.errors import StorageUnavailableError
from storage.redis.circuit import Circuit
from storage.redis.pool import KeptConnections
from storage.redis.protocol import Wire
from storage.redis.scripts import Script

TIMEOUT_SECONDS = 0.5
"""For connecting, and for each wait for bytes."""
PING_TIMEOUT_SECONDS = 0.25
"""A ping connects and asks: half a second together."""
CONNECTIONS = 64
"""The most connections a process opens to one server, for single commands and for buffers each."""


class Server:
    """One Redis server: a client for single commands, a pool for buffers, one circuit for both.

    RESP2, so that nothing but replies ever comes; no CLIENT SETINFO, two round trips a connection.
    `check` signs in on each new connection and says whether it may be used; a ping needs none.
    """

    def __init__(
        self, part: str, url: str, *, check: Callable[[Connection], None] | None = None
    ) -> None:
        self.client = redis.Redis(connection_pool=_pool(url, TIMEOUT_SECONDS, check))
        self._part = part
        self._buffer_pool = _pool(url, TIMEOUT_SECONDS, check)
        self._ping_client = redis.Redis(connection_pool=_pool(url, PING_TIMEOUT_SECONDS))
        self._circuit = Circuit(part)
        self.kept = KeptConnections(
            self._circuit,
            take=self._buffer_pool.get_connection,
            give=self._buffer_pool.release,
            timeout_seconds=TIMEOUT_SECONDS,
        )

    def guard(self) -> AbstractContextManager[None]:
        """Runs calls of `client`. Raises StorageUnavailableError."""
        return self._circuit.guard()

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        """A connection for packed buffers, for one caller. Raises StorageUnavailableError.

        One that failed, or whose replies were not all read, is closed: nobody gets another's reply.
        """
        with self._circuit.guard():
            connection = self._buffer_pool.get_connection()
            wire = Wire(connection)
            try:
                yield wire
            except BaseException:
                connection.disconnect()  # type: ignore[no-untyped-call]
                raise
            else:
                if wire.unread:
                    connection.disconnect()  # type: ignore[no-untyped-call]
            finally:
                self._buffer_pool.release(connection)

    def ask(self, commands: Sequence[bytes], *scripts: Script) -> list[Any]:
        """The replies to packed commands, sent together; raises the first error among them.

        For what may fail or be repeated: a connection that was cut within the last moment fails its
        caller. Scripts that the server lacks are loaded. Raises StorageUnavailableError,
        StorageRefusedError.
        """
        buffer = b"".join(commands)
        try:
            return self.kept.ask(buffer, len(commands))
        except StorageUnavailableError as error:
            if not scripts or not isinstance(error.__cause__, NoScriptError):
                raise
        self.kept.ask(b"".join([script.load() for script in scripts]), len(scripts))
        return self.kept.ask(buffer, len(commands))

    def ping(self) -> None:
        """Returns if the server answers now, whatever the circuit thinks; else raises as others."""
        with Circuit(self._part).guard():
            self._ping_client.ping()

    def usable(self) -> None:
        """Returns if a checked connection can be had. Raises StorageUnavailableError."""
        with self._circuit.guard():
            self.client.ping()

    def setting(self, name: str) -> str | None:
        """A setting of the server, or None where it may not be asked for.

        Asked without the check: it may show that this is not the server that was meant.
        """
        with self._circuit.guard():
            try:
                answer = self._ping_client.config_get(name)
            except redis.ResponseError:  # NOPERM, or a service that hides it
                return None
        values = [v.decode() if isinstance(v, bytes) else str(v) for v in answer.values()]
        return values[0] if values else None

    def close(self) -> None:
        """Closes every connection."""
        for pool in (self.client.connection_pool, self._buffer_pool):
            pool.disconnect()
        self._ping_client.connection_pool.disconnect()


def _pool(
    url: str, timeout_seconds: float, check: Callable[[Connection], None] | None = None
) -> redis.ConnectionPool:
    return redis.ConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
        redis_connect_func=check,
    )
