"""The way to Neo4j: one statement, sent auto-commit, its rows as Python values.

Never a managed or explicit transaction: a server error inside one can hang another thread of the
same driver for ever (tests/graph/test_driver_hang.py). Every write is safe to repeat, by its key
or its constraint, so write() repeats it itself.
"""

import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import neo4j
from environs import Env, validate
from neo4j.exceptions import ConstraintError, DriverError, Neo4jError, ServiceUnavailable

from graph.circuit import Circuit
from graph.driver import open_driver
from graph.errors import (
    ConstraintViolatedError,
    GraphError,
    GraphTimeoutError,
    GraphUnavailableError,
    IdTakenError,
    KeyInFlightError,
)
from graph.ids import DRAWS, new_id
from graph.queries import Query

READ_SECONDS = 5.0
"""How long a read may take before the server ends it."""

WRITE_SECONDS = 10.0
"""How long a write may take, waiting for locks included."""

WRITE_REPEAT_SECONDS = 5.0
"""For how long a write is tried again after errors that pass."""

READ_REPEAT_SECONDS = 2.0
"""For how long a read is: enough for a new connection where pooled ones were dead.

Shorter than the time-out of a connection, as a reader may be answered from elsewhere.
"""

ANSWER_SECONDS = WRITE_SECONDS + 3.0
"""How long a silent server is waited for: one that lives has ended the longest statement by then.

Of our own Neo4j it is 6 s, as that says every 2 s that it lives (stack/parts/neo4j.py).
"""

PING_SECONDS = 2.0
"""How long ping() waits for the graph, and a probe of the circuit's for each step of its own."""

IN_FLIGHT_SECONDS = (1.2, 0.8)
"""How long a write waits for another one with its key, or its photos, in two tries.

A graph that has just been started may plan the statement for longer than the first; then it is
ended at its first lock, too. One that is slow without waiting gets the time of any other write.
"""

LARGE_AUDIENCE = 100_000
"""Unless a setting says otherwise."""

_PAUSES = (0.01, 0.03, 0.1, 0.2, 0.4)
"""Seconds to wait between tries, each times 0.5 to 1.5 at random; the last goes on."""

_VANISHED = "Neo.ClientError.Statement.EntityNotFound"
"""What was found has been deleted while its lock was awaited: the next try does not find it."""

_ENDED = "Neo.ClientError.Transaction."
"""The server ended the statement: it took too long, or waited too long for a lock."""

_FAULTY = "Neo.ClientError.Statement."
"""The statement itself is wrong: no other time will be better."""

_NOT_THERE = ("DatabaseUnavailable", "DatabaseNotFound")
"""The server is there without the database: it is starting, stopping, or mending itself."""

_VIOLATED = re.compile(r"already exists with (?:label|type) `(\w+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """Where the graph is and how to log in."""

    uri: str
    user: str
    password: str = field(repr=False)
    database: str
    max_connections: int = 32
    large_audience: int = LARGE_AUDIENCE
    """Followers above which a post's fan-out has a queue of its own: nobody waits behind it."""

    @classmethod
    def from_env(cls, env: Env) -> Self:
        """The settings from NEO4J_* and LARGE_AUDIENCE."""
        return cls(
            uri=env.str("NEO4J_URI"),
            user=env.str("NEO4J_USER", "neo4j"),
            password=env.str("NEO4J_PASSWORD"),
            database=env.str("NEO4J_DATABASE", "neo4j"),
            max_connections=env.int("NEO4J_MAX_CONNECTIONS", 32),
            large_audience=env.int("LARGE_AUDIENCE", LARGE_AUDIENCE, validate=validate.Range(1)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ping:
    """A question that somebody asked: whoever asks before its answer waits for the same one."""

    thread: threading.Thread
    problems: list[GraphError]
    until: float


class Connection:
    """One driver: made after a fork, never shared with a child; any number of threads.

    With `circuit` a graph that is away is left alone: calls fail at once instead of waiting.
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
        self._circuit = Circuit(self._probe, connections.shut) if circuit else None
        self._pinging: _Ping | None = None
        self._ping_lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        if self._circuit:
            self._circuit.close()
        self._driver.close()

    @property
    def away(self) -> bool:
        """Whether the graph is known not to answer; never without a circuit."""
        return self._circuit is not None and self._circuit.open

    def read(self, query: Query, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query. Raises GraphUnavailableError."""
        return self._repeated(query, READ_SECONDS, READ_REPEAT_SECONDS, parameters)

    def write(
        self, query: Query, *, timeout_seconds: float | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        """The rows of a writing statement, committed when this returns.

        Repeated on errors that pass (deadlock, a lost connection), so that it may meet what its
        own first try committed: who calls recognises that by its ids. Raises
        ConstraintViolatedError, and GraphUnavailableError when the outcome is unknown or nothing.
        """
        return self._repeated(
            query, timeout_seconds or WRITE_SECONDS, WRITE_REPEAT_SECONDS, parameters
        )

    def write_with_event(
        self, query: Query, *, event_id: int | None = None, **parameters: Any
    ) -> list[dict[str, Any]]:
        """The rows of a write that creates an event; its id is drawn here, or is the one given.

        Where the id is taken another one is drawn. It may be taken by this very statement, which
        was committed although its answer was lost; then the second event finds its work done.
        Raises as write(), and IdTakenError.
        """
        event_id = event_id or new_id()
        for _ in range(DRAWS):
            try:
                return self.write(query, event_id=event_id, **parameters)
            except ConstraintViolatedError as error:
                if error.of != "Event":
                    raise
                event_id = new_id()
        raise IdTakenError(event_id)

    def write_with_key(self, query: Query, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a write with an idempotency key: a second one waits for the first.

        Raises as write(), and KeyInFlightError after two seconds of waiting.
        """
        for seconds in IN_FLIGHT_SECONDS:
            try:
                return self.write(query, timeout_seconds=seconds, **parameters)
            except GraphTimeoutError as error:
                if not error.for_lock:
                    break
        else:
            raise KeyInFlightError
        return self.write(query, **parameters)

    def ping(self) -> None:
        """Return if the graph answers within two seconds, else raise GraphUnavailableError.

        The driver has no time-out for an answer (a stopped server takes the question), so a
        thread asks; while one still waits, the graph is not asked again.
        """
        pinging = self._ping_under_way()
        pinging.thread.join(max(0.0, pinging.until - time.monotonic()))
        if pinging.thread.is_alive():
            raise GraphUnavailableError(f"no answer in {PING_SECONDS} s")
        if pinging.problems:
            raise pinging.problems[0]

    def _ping_under_way(self) -> _Ping:
        with self._ping_lock:
            if self._pinging is None or not self._pinging.thread.is_alive():
                problems: list[GraphError] = []
                thread = threading.Thread(target=self._ask, args=(problems,), daemon=True)
                until = time.monotonic() + PING_SECONDS
                self._pinging = _Ping(thread=thread, problems=problems, until=until)
                thread.start()
            return self._pinging

    def _ask(self, problems: list[GraphError]) -> None:
        try:
            self._sent("RETURN 1 AS one", PING_SECONDS, {})
            if self._circuit:
                self._circuit.answered()
        except GraphError as error:
            problems.append(error)
        except (DriverError, Neo4jError, OSError) as error:
            problems.append(translated(error))

    def _repeated(
        self,
        query: Query,
        timeout_seconds: float,
        repeat_seconds: float,
        parameters: dict[str, Any],
    ) -> list[dict[str, Any]]:
        return repeated(
            lambda: self._once(query.text, timeout_seconds, parameters),
            until=time.monotonic() + repeat_seconds,
        )

    def _once(
        self, text: str, timeout_seconds: float, parameters: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The rows, and the circuit told what came of it."""
        if self._circuit is None:
            return self._sent(text, timeout_seconds, parameters)
        with self._circuit.waiting():
            try:
                rows = self._sent(text, timeout_seconds, parameters)
            except (DriverError, Neo4jError, OSError) as error:
                if says_it_lives(error):
                    self._circuit.answered()
                else:
                    self._circuit.doubted()
                raise
            self._circuit.answered()
            return rows

    def _sent(
        self, text: str, timeout_seconds: float, parameters: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Rows of one auto-commit statement, at the leader: an old state would undo a drop."""
        return _run(self._driver, self._database, text, timeout_seconds, parameters)

    def _probe(self) -> bool:
        """Whether the graph answers a new connection; bounded, whatever the others wait for."""
        driver, _ = open_driver(
            self.settings.uri,
            (self.settings.user, self.settings.password),
            max_connections=1,
            answer_seconds=PING_SECONDS,
        )
        with driver:
            try:
                _run(driver, self._database, "RETURN 1 AS one", PING_SECONDS, {})
            except (DriverError, Neo4jError, OSError) as error:
                return says_it_lives(error)
        return True


def _run(
    driver: neo4j.Driver,
    database: str,
    text: str,
    timeout_seconds: float,
    parameters: dict[str, Any],
) -> list[dict[str, Any]]:
    statement = neo4j.Query(text, timeout=timeout_seconds)
    with driver.session(database=database, default_access_mode=neo4j.WRITE_ACCESS) as session:
        # Statements return values and maps, never nodes: Result.data() would look at each id of a
        # page of followers for one, at three times the price of pushing to it.
        records = session.run(statement, parameters)
        return [dict(record.items()) for record in records]  # type: ignore[no-untyped-call]


def repeated(once: Callable[[], list[dict[str, Any]]], *, until: float) -> list[dict[str, Any]]:
    """What `once` returns, tried again on errors that pass until the (monotonic) moment given.

    Raises this folder's errors in place of the driver's.
    """
    tried = 0
    while True:
        try:
            return once()
        except (DriverError, Neo4jError, OSError) as error:
            pause = _PAUSES[min(tried, len(_PAUSES) - 1)] * (0.5 + random.random())  # noqa: S311 - jitter
            tried += 1
            if time.monotonic() + pause > until or not passes(error):
                raise translated(error) from error
            time.sleep(pause)


def passes(error: Exception) -> bool:
    """Whether the same statement may succeed when it is sent again."""
    if isinstance(error, Neo4jError):
        return error.is_retryable() or error.code == _VANISHED
    if isinstance(error, DriverError):
        return error.is_retryable() or isinstance(error, ServiceUnavailable)
    return isinstance(error, OSError)


def says_it_lives(error: Exception) -> bool:
    """Whether the error is an answer of a database that is there, be it a refusal."""
    return isinstance(error, Neo4jError) and not (error.code or "").endswith(_NOT_THERE)


def translated(error: Exception) -> GraphError:
    """This folder's error for one of the driver's."""
    if isinstance(error, ConstraintError):
        match = _VIOLATED.search(error.message or "")
        return ConstraintViolatedError(match[1] if match else "")
    code = (error.code or "") if isinstance(error, Neo4jError) else ""
    if code.startswith(_ENDED):
        return GraphTimeoutError(str(error), for_lock=code.endswith("LockClientStopped"))
    if code.startswith(_FAULTY) and code != _VANISHED:
        return GraphError(str(error))
    return GraphUnavailableError(str(error))
