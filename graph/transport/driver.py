"""Neo4j's driver, with a time-out on every wait.

The driver waits for an answer as long as the server suggests when a connection is opened. Where
the server suggests nothing, or minutes, a silent server would block a thread for that long. The
driver has no setting for this, so each connection gets its time-out where the driver's pool opens
it. That part of the driver is not documented: tests/graph/transport/test_driver.py fails when an
upgrade changes it.
"""

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

import neo4j

CONNECT_SECONDS = 3.0
"""Time-out for a TCP connection."""

ACQUIRE_SECONDS = 2.0
"""Time-out for a connection from the pool, including the opening and log-in of a new one."""

SEND_SECONDS = 5.0
"""Time-out for sending a statement to a server that does not read."""


def open_driver(
    uri: str, auth: tuple[str, str], *, max_connections: int, answer_seconds: float
) -> tuple[neo4j.Driver, "Connections"]:
    """A driver and its connections; a read from a connection waits `answer_seconds` at most.

    A shorter time-out that the server suggests is used instead.
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
    pool.opener = connections.with_time_out(pool.opener, answer_seconds)
    return driver, connections


class Connections:
    """The open connections of a driver."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()

    def with_time_out(
        self, opener: Callable[..., Any], answer_seconds: float
    ) -> Callable[..., Any]:
        """The pool's opener, with a time-out on each read from the connections it opens."""

        def open_connection(*args: Any, **kwargs: Any) -> Any:
            connection = opener(*args, **kwargs)
            suggested = connection.socket.get_read_timeout()
            connection.socket.set_read_timeout(min(suggested or answer_seconds, answer_seconds))
            with self._lock:
                self._open.add(connection)
            return connection

        return open_connection

    def shut_down(self) -> None:
        """Shut down every socket: a thread that waits for an answer gets an error at once."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):  # closed already
                connection.socket._socket.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - see above


def run_statement(
    driver: neo4j.Driver,
    database: str,
    text: str,
    timeout_seconds: float,
    parameters: dict[str, Any],
) -> list[dict[str, Any]]:
    """The rows of one auto-commit statement, run on the leader.

    A follower of a cluster may return an old state. A timeline that is built from an old state
    would undo a drop.
    """
    statement = neo4j.Query(text, timeout=timeout_seconds)
    with driver.session(database=database, default_access_mode=neo4j.WRITE_ACCESS) as session:
        # Statements return values and maps, never nodes. Result.data() would check each id of a
        # page of followers for a node, which takes three times as long as the push of that page.
        records = session.run(statement, parameters)
        return [dict(record.items()) for record in records]  # type: ignore[no-untyped-call]
