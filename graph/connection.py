"""The connection to Neo4j: runs one auto-commit statement and returns its rows as Python values.

It never uses a managed or explicit transaction: a server error inside such a transaction can block
another thread of the same driver for ever (tests/graph/test_driver_hang.py). Every write is safe to
repeat, by its key or its constraint, so write() repeats it on transient errors.
"""

import time
from typing import Any

import structlog

from graph.errors import (
    ConstraintViolatedError,
    GraphTimeoutError,
    IdTakenError,
    KeyInFlightError,
)
from graph.ids import ID_ATTEMPTS, new_id
from graph.queries import Query
from graph.settings import GraphSettings
from graph.transport.circuit import Circuit
from graph.transport.driver import open_driver, run_statement
from graph.transport.ping import PING_SECONDS, SharedPing
from graph.transport.retries import DRIVER_ERRORS, is_answer, to_graph_error, with_retries

READ_SECONDS = 5.0
"""Time limit of a read; the server ends it then."""

WRITE_SECONDS = 10.0
"""Time limit of a write, including waits for locks; the server ends it then."""

WRITE_RETRY_SECONDS = 5.0
"""A write is repeated on transient errors for this long."""

READ_RETRY_SECONDS = 2.0
"""A read is repeated on transient errors for this long: enough to replace dead connections.

It is shorter than the time-out of a new connection, because a caller may have another source.
"""

ANSWER_SECONDS = WRITE_SECONDS + 3.0
"""Time limit for an answer: a running server has ended the longest statement by then.

For our own Neo4j it is 6 s, because that server sends a keep-alive every 2 s
(stack/parts/neo4j.py).
"""

KEY_WAIT_SECONDS = (1.2, 0.8)
"""Time limits of two attempts at a write whose key or photos another write has locked.

Just after the graph has started, planning may use up the first attempt; the server then reports its
first lock as the reason. A statement that is slow without a lock is repeated with WRITE_SECONDS.
"""

PING = "RETURN 1 AS one"
"""A statement that needs no data and no lock."""


class Connection:
    """One driver for all threads of a process; open it after a fork.

    With `circuit`, calls fail at once while the graph is unavailable.
    """

    def __init__(self, settings: GraphSettings, *, circuit: bool = False) -> None:
        self.settings = settings
        self._database = settings.database
        self._driver, connections = open_driver(
            settings.uri,
            (settings.user, settings.password),
            max_connections=settings.max_connections,
            answer_seconds=ANSWER_SECONDS,
        )
        self._circuit = Circuit(self._probe, connections.shut_down) if circuit else None
        self._ping = SharedPing(self._send_ping)

    def close(self) -> None:
        """Close all connections."""
        if self._circuit:
            self._circuit.stop()
        self._driver.close()

    @property
    def circuit_open(self) -> bool:
        """Whether calls fail at once because the graph is unavailable; False without a circuit."""
        return self._circuit is not None and self._circuit.open

    def read(self, query: Query, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query. Raises GraphUnavailableError."""
        return self._run_with_retries(query, READ_SECONDS, READ_RETRY_SECONDS, parameters)

    def write(
        self, query: Query, *, timeout_seconds: float | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        """The rows of a write, which is committed when this returns.

        A write is repeated on transient errors (deadlock, lost connection). A repeat may find what
        an earlier attempt committed: the caller recognises that by its own ids. Raises
        ConstraintViolatedError, and GraphUnavailableError when the write failed or its outcome is
        unknown.
        """
        return self._run_with_retries(
            query, timeout_seconds or WRITE_SECONDS, WRITE_RETRY_SECONDS, parameters
        )

    def write_with_event(
        self, query: Query, *, event_id: int | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        """The rows of a write that creates an event; its id is new, or the one given.

        The event keeps the id of the current request, if any, for the logs.

        If the event's id exists, the write is repeated with another id. The id may exist because of
        this very write, when an attempt was committed and its answer was lost. Then the second
        event finds its work done. Raises as write(), and IdTakenError after four ids.
        """
        event_id = event_id or new_id()
        request_id = current_request_id()
        for _ in range(ID_ATTEMPTS):
            try:
                return self.write(query, event_id=event_id, request_id=request_id, **parameters)
            except ConstraintViolatedError as error:
                if error.entity != "Event":
                    raise
                event_id = new_id()
        raise IdTakenError(event_id)

    def write_with_key(self, query: Query, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a write with an idempotency key; a second write with it waits for the first.

        Raises as write(), and KeyInFlightError after waiting two seconds.
        """
        for seconds in KEY_WAIT_SECONDS:
            try:
                return self.write(query, timeout_seconds=seconds, **parameters)
            except GraphTimeoutError as error:
                if not error.for_lock:
                    break
        else:
            raise KeyInFlightError
        return self.write(query, **parameters)

    def ping(self) -> None:
        """Return if the graph answers within two seconds, else raise GraphUnavailableError."""
        self._ping.wait()

    def _send_ping(self) -> None:
        try:
            self._run(PING, PING_SECONDS, {})
        except DRIVER_ERRORS as error:
            raise to_graph_error(error) from error
        if self._circuit:
            self._circuit.record_answer()

    def _run_with_retries(
        self,
        query: Query,
        timeout_seconds: float,
        retry_seconds: float,
        parameters: dict[str, Any],
    ) -> list[dict[str, Any]]:
        return with_retries(
            lambda: self._run_in_circuit(query.text, timeout_seconds, parameters),
            until=time.monotonic() + retry_seconds,
        )

    def _run_in_circuit(
        self, text: str, timeout_seconds: float, parameters: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The rows; the outcome is reported to the circuit."""
        if self._circuit is None:
            return self._run(text, timeout_seconds, parameters)
        with self._circuit.call():
            try:
                rows = self._run(text, timeout_seconds, parameters)
            except DRIVER_ERRORS as error:
                if is_answer(error):
                    self._circuit.record_answer()
                else:
                    self._circuit.request_probe()
                raise
            self._circuit.record_answer()
            return rows

    def _run(
        self, text: str, timeout_seconds: float, parameters: dict[str, Any]
    ) -> list[dict[str, Any]]:
        return run_statement(self._driver, self._database, text, timeout_seconds, parameters)

    def _probe(self) -> bool:
        """Whether the graph answers on a new connection; every step has a limit of two seconds."""
        driver, _ = open_driver(
            self.settings.uri,
            (self.settings.user, self.settings.password),
            max_connections=1,
            answer_seconds=PING_SECONDS,
        )
        with driver:
            try:
                run_statement(driver, self._database, PING, PING_SECONDS, {})
            except DRIVER_ERRORS as error:
                return is_answer(error)
        return True


def current_request_id() -> str | None:
    """The id of the request that runs now, for the event that it commits."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return None if request_id is None else str(request_id)
