"""Neo4j's driver, with a bound on every wait.

The driver waits for an answer as long as the server suggests when a connection is opened; a server
that suggests nothing, or minutes, would hold a thread for that long when it falls silent. There is
no setting for it, so each connection gets its time-out where the driver's pool opens it. That is a
part of the driver which is not documented: tests/graph/test_silence.py tells when it changes.
"""

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

import neo4j

CONNECT_SECONDS = 3.0
"""How long a server may take to take a connection."""

ACQUIRE_SECONDS = 2.0
"""How long a call waits for a connection, new ones and their sign-in included."""

SEND_SECONDS = 5.0
"""How long a server may take to read what it is sent."""


def open_driver(
    uri: str, auth: tuple[str, str], *, max_connections: int, answer_seconds: float
) -> tuple[neo4j.Driver, "Connections"]:
    """A driver and its connections; each waits for bytes for `answer_seconds` at most.

    A server that says regularly that it lives may suggest a shorter wait: that is kept.
    """
    driver = neo4j.GraphDatabase.driver(
        uri,
        auth=auth,
        max_connection_pool_size=max_connections,
        connection_acquisition_timeout=ACQUIRE_SECONDS,
        connection_timeout=CONNECT_SECONDS,
        connection_write_timeout=SEND_SECONDS,
        liveness_check_timeout=60,
        notifications_min_severity="OFF",
        telemetry_disabled=True,
    )
    connections = Connections()
    pool = driver._pool  # noqa: SLF001 - see above
    pool.opener = connections.bounded(pool.opener, answer_seconds)
    return driver, connections


class Connections:
    """The connections that a driver has open."""

    def __init__(self) -> None:
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()

    def bounded(self, opener: Callable[..., Any], answer_seconds: float) -> Callable[..., Any]:
        """The pool's opener, with a time-out on each connection's waits."""

        def opened(*args: Any, **kwargs: Any) -> Any:
            connection = opener(*args, **kwargs)
            suggested = connection.socket.get_read_timeout()
            connection.socket.set_read_timeout(min(suggested or answer_seconds, answer_seconds))
            with self._lock:
                self._opened.add(connection)
            return connection

        return opened

    def shut(self) -> None:
        """End them all: whoever waits for an answer on one has a lost connection at once."""
        with self._lock:
            opened = list(self._opened)
        for connection in opened:
            with contextlib.suppress(OSError):  # closed already
                connection.socket._socket.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - see above
