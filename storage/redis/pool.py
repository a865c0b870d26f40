"""Connections kept at hand for who comes thousands of times a second with one small buffer.

What a general client does around each buffer (a look whether the server has hung up, a poll before
each send and each receive, a context for each layer) costs twice what the buffer itself does.
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

from storage.redis.circuit import Circuit
from storage.redis.protocol import checked

LOOK_SECONDS = 1.0
"""One idle for so long is looked at before it is used: the server may have hung up."""
READ_BYTES = 65_536


class Kept:
    """One connection: redis-py makes it and signs in, we send and receive on its socket.

    Blocking, with time-outs that the kernel keeps: Python's own poll the socket before each call.
    """

    def __init__(self, connection: Connection, timeout_seconds: float) -> None:
        self.connection = connection
        self.used_at = 0.0
        self._buffer = bytearray(READ_BYTES)
        parser: Any = connection._get_parser()  # noqa: SLF001 - of hiredis, which is installed
        self._reader = parser._reader  # noqa: SLF001 - makes redis-py's errors of error replies
        self._socket: socket.socket = connection._sock  # type: ignore[assignment]  # noqa: SLF001
        timeout = struct.pack("ll", int(timeout_seconds), int(timeout_seconds % 1 * 1_000_000))
        self._socket.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, timeout)

    def ask(self, buffer: bytes, commands: int) -> list[Any]:
        """The replies to a buffer of so many commands. Raises OSError, redis.ConnectionError."""
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

    def quiet(self) -> bool:
        """Whether the server has neither hung up nor sent what nobody asked for."""
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


class KeptConnections:
    """As many as callers at once. `take` and `give` are those of a pool that checks what it has."""

    def __init__(
        self,
        circuit: Circuit,
        *,
        take: Callable[[], Connection],
        give: Callable[[Connection], None],
        timeout_seconds: float,
    ) -> None:
        self._circuit = circuit
        self._take = take
        self._give = give
        self._timeout_seconds = timeout_seconds
        self._idle: deque[Kept] = deque()

    def ask(self, buffer: bytes, commands: int) -> list[Any]:
        """The replies to so many commands; raises the first error among them.

        A server that has restarted within a moment fails one caller, and then each connection is
        looked at. Raises StorageUnavailableError.
        """
        with self._circuit.guard():
            kept = self._one()
            try:
                replies = kept.ask(buffer, commands)
            except BaseException:  # its replies may come yet: nobody else may get them
                self._drop(kept)
                raise
            self._idle.append(kept)
            return checked(replies)

    def _one(self) -> Kept:
        while self._idle:
            try:
                kept = self._idle.pop()  # the last one used
            except IndexError:
                break
            if time.monotonic() - kept.used_at < LOOK_SECONDS or kept.quiet():
                return kept
            self._drop(kept)
        return Kept(self._take(), self._timeout_seconds)

    def _drop(self, kept: Kept) -> None:
        kept.connection.disconnect()  # type: ignore[no-untyped-call]
        self._give(kept.connection)
        for idle in self._idle:
            idle.used_at = 0.0
