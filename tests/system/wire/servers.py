"""Servers that get raw bytes: asgi.py, wsgi.py, and the edge before asgi.py."""

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

QUIET_SECONDS = 4.0
"""A server that has said nothing for so long waits for more of a request."""
BUSY, TRIES = 503, 20
"""What a busy machine answers; the bytes are then sent again, so often at most."""
END_SECONDS = 40.0
"""The longest that one exchange is read."""
STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")


@dataclass(frozen=True, slots=True)
class WireServer:
    """A server, as raw bytes reach it."""

    name: str
    connect: Callable[[], socket.socket]
    """A new connection."""
    host: bytes = b"photofeed"
    """What it is called in requests."""

    def exchange(self, data: bytes) -> list[int]:
        """The statuses that the bytes bring, in their order; those of another try if one is 503."""
        statuses: list[int] = []
        for _ in range(TRIES):
            statuses = [int(status) for status in STATUS.findall(self.read(data))]
            if BUSY not in statuses:
                break
            time.sleep(1)
        return statuses

    def read(self, data: bytes, *, quiet_seconds: float = QUIET_SECONDS) -> bytes:
        """All that the server says to the bytes, until it closes or is quiet.

        Then the client says that it sends nothing more, and reads on.
        """
        with self.connect() as connection:
            with suppress(OSError):
                connection.sendall(data)
            received = _read(connection, quiet_seconds)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            return received + _read(connection, quiet_seconds)


def plain_server(name: str, url: str) -> WireServer:
    """The server of an `http:` URL."""
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    place = (address.hostname, address.port)
    return WireServer(name, lambda: socket.create_connection(place, 10))


def _read(connection: socket.socket, quiet_seconds: float) -> bytes:
    """What the server sends until it is quiet or closes."""
    received, end = b"", time.monotonic() + END_SECONDS
    with suppress(OSError):  # reset, or silent for too long
        connection.settimeout(quiet_seconds)
        while time.monotonic() < end and (data := connection.recv(65536)):
            received += data
    return received
