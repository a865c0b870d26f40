"""Raw requests over a socket: what no library of HTTP would send."""

import http.client
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SECONDS = 20
"""For each read of a response: a margin for a busy machine."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A final response, after any 1xx."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes


class _File:
    """The file of a connection, which http.client would close after each response."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def makefile(self, _mode: str) -> "_File":
        return self

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


class RawConnection:
    """A connection to a server. Responses are read in the order of their requests."""

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self.socket = socket.create_connection((address.hostname, address.port), seconds)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send the bytes as they are. A server that has closed the connection is no error."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def read(self, method: str = "GET") -> RawResponse:
        """The next response. `method` of its request says whether it has a body."""
        file: Any = _File(self._file)
        response = http.client.HTTPResponse(file, method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return RawResponse(response.status, headers, response.read())

    def read_until(self, end: bytes) -> bytes:
        """The bytes up to and with `end`; fewer if the server closes the connection before."""
        data = b""
        while not data.endswith(end) and (byte := self._file.read(1)):
            data += byte
        return data

    def read_until_closed(self) -> bytes:
        """All bytes until the server closes the connection."""
        return self._file.read()

    def is_closed(self) -> bool:
        """Whether the server closes the connection without sending anything more. Waits for it."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self.socket.close()


@contextmanager
def connected(url: str, *, seconds: float = SECONDS) -> Iterator[RawConnection]:
    """A connection to the server of the URL."""
    connection = RawConnection(url, seconds=seconds)
    try:
        yield connection
    finally:
        connection.close()


def send_raw(url: str, data: bytes) -> RawResponse:
    """The response to the bytes of one request, on a connection of its own."""
    with connected(url) as connection:
        connection.send(data)
        return connection.read(data.partition(b" ")[0].decode("latin-1"))
