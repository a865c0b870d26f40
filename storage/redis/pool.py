"""A connection pool for callers that send one small buffer thousands of times a second.

A general client checks for a closed connection, polls before each send and receive, and enters a
context per layer. That costs twice as much as the exchange itself, so this pool does without it.
"""

import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.connection import Connection

from storage.redis.circuit import RedisCircuit
from storage.redis.protocol import raise_first_error

IDLE_CHECK_SECONDS = 1.0
"""A connection idle for this long is checked before use: the server may have closed it."""
READ_BYTES = 65_536
"""The size of a connection's receive buffer."""


class PooledConnection:
    """One connection: redis-py opens it and signs in, this class sends and receives.

    The socket blocks, and the kernel enforces the time-outs: Python's own time-outs would poll the
    socket before each call.
    """

    def __init__(self, connection: Connection, timeout_seconds: float) -> None:
        self.connection = connection
        self.used_at = 0.0
        self._buffer = bytearray(READ_BYTES)
        parser: Any = connection._get_parser()  # noqa: SLF001 - of hiredis, which is installed
        self._reader = parser._reader  # noqa: SLF001 - turns error replies into redis-py's errors
        self._socket: socket.socket = connection._sock  # type: ignore[assignment]  # noqa: SLF001
        timeout = struct.pack("ll", int(timeout_seconds), int(timeout_seconds % 1 * 1_000_000))
        self._socket.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, timeout)

    def execute(self, buffer: bytes, commands: int) -> list[Any]:
        """The replies to a buffer of so many commands; an error reply is an exception in the list.

        Raises OSError, redis.ConnectionError.
        """
        self._socket.sendall(buffer)
        replies: list[Any] = []
        while len(replies) < commands:
            reply = self._reader.gets()
            if reply is NOT_ENOUGH_DATA:
                self._receive()
            else:
                replies.append(reply)
        self.used_at = time.monotonic()
        return replies

    def is_usable(self) -> bool:
        """Whether the server has neither closed the connection nor sent unexpected data."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _receive(self) -> None:
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise redis.ConnectionError("closed by the server")
        self._reader.feed(self._buffer, 0, count)


class ConnectionPool:
    """Connections to one server, as many as there are callers at a time.

    `acquire` and `release` belong to a redis-py pool, which opens and checks new connections.
    """

    def __init__(
        self,
        circuit: RedisCircuit,
        *,
        acquire: Callable[[], Connection],
        release: Callable[[Connection], None],
        timeout_seconds: float,
    ) -> None:
        self._circuit = circuit
        self._acquire = acquire
        self._release = release
        self._timeout_seconds = timeout_seconds
        self._idle: deque[PooledConnection] = deque()
        self._failed_at = 0.0
        """When a connection last failed: those that were used before are checked."""

    def execute(self, buffer: bytes, commands: int) -> list[Any]:
        """The replies to a buffer of so many commands; raises the first error among them.

        A server that restarts within IDLE_CHECK_SECONDS fails one caller. After that failure every
        idle connection is checked before use. Raises StorageUnavailableError.
        """
        with self._circuit.guard():
            pooled = self._idle_or_new()
            try:
                replies = pooled.execute(buffer, commands)
            except BaseException:  # replies may still arrive: no other caller may read them
                self._discard(pooled)
                raise
            self._idle.append(pooled)
            return raise_first_error(replies)

    def _idle_or_new(self) -> PooledConnection:
        while self._idle:
            try:
                pooled = self._idle.pop()  # the most recently used
            except IndexError:
                break
            is_fresh = time.monotonic() - pooled.used_at < IDLE_CHECK_SECONDS
            if (is_fresh and pooled.used_at > self._failed_at) or pooled.is_usable():
                return pooled
            self._discard(pooled)
        return PooledConnection(self._acquire(), self._timeout_seconds)

    def _discard(self, pooled: PooledConnection) -> None:
        pooled.connection.disconnect()  # type: ignore[no-untyped-call]
        self._release(pooled.connection)
        self._failed_at = time.monotonic()
