"""Clients that hold connections and ask for little: idle ones, and some that send a byte a second.

The server ends them after 20 to 30 s, so a context should be shorter.
"""

import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

IDLE, SLOW = 2_000, 200
"""Clients of each kind. Half of the slow ones send their headers slowly, half their body."""

CONNECT_SECONDS = 20

_REQUEST = b"GET /livez HTTP/1.1\r\nHost: photofeed\r\n\r\n"
_HEAD = b"POST /v1/accounts HTTP/1.1\r\nHost: photofeed\r\nContent-Length: 60000\r\n\r\n"


@contextmanager
def slow_clients(url: str) -> Iterator[None]:
    """Clients of the API at `url`; they are connected as long as the context is open."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as opened:
        for _ in range(IDLE):
            _connect(url, opened).sendall(_REQUEST)
        slow = [_connect(url, opened) for _ in range(SLOW)]
        for client in slow[::2]:
            client.sendall(_HEAD)
        stopped = threading.Event()
        sender = threading.Thread(target=_send_slowly, args=(slow, stopped))
        sender.start()
        try:
            yield
        finally:
            stopped.set()
            sender.join()


def _connect(url: str, opened: ExitStack) -> socket.socket:
    address = urlsplit(url).hostname, urlsplit(url).port
    return opened.enter_context(socket.create_connection(address, timeout=CONNECT_SECONDS))


def _send_slowly(clients: list[socket.socket], stopped: threading.Event) -> None:
    while not stopped.wait(1):
        for client in clients:
            with suppress(OSError):  # the API has ended the request after its time
                client.send(b"x")
