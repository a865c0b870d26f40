"""Retries of a statement, and the translation of the driver's errors into those of this folder."""

import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from neo4j.exceptions import ConstraintError, DriverError, Neo4jError, ServiceUnavailable

from graph.errors import (
    ConstraintViolatedError,
    GraphError,
    GraphTimeoutError,
    GraphUnavailableError,
)

T = TypeVar("T")

DRIVER_ERRORS = (DriverError, Neo4jError, OSError)
"""All errors that the driver raises for a call."""

BACKOFF_SECONDS = (0.01, 0.03, 0.1, 0.2, 0.4)
"""Pauses between attempts, each times 0.5 to 1.5 at random; the last one repeats."""

_ENTITY_GONE = "Neo.ClientError.Statement.EntityNotFound"
"""A matched entity was deleted while its lock was awaited: the next attempt does not match it."""

_TERMINATED = "Neo.ClientError.Transaction."
"""Prefix: the server ended the statement, which ran or waited for a lock for too long."""

_INVALID = "Neo.ClientError.Statement."
"""Prefix: the statement itself is wrong, so no attempt can succeed."""

_NO_DATABASE = ("DatabaseUnavailable", "DatabaseNotFound")
"""Suffixes: the server runs without the database, which is starting, stopping or recovering."""

_VIOLATION = re.compile(r"already exists with (?:label|type) `(\w+)`")


def with_retries(attempt: Callable[[], T], *, until: float) -> T:
    """The result of `attempt`, repeated on transient errors until the monotonic time `until`.

    Raises this folder's errors in place of the driver's.
    """
    failures = 0
    while True:
        try:
            return attempt()
        except DRIVER_ERRORS as error:
            pause = _pause_seconds(failures)
            failures += 1
            if time.monotonic() + pause > until or not is_transient(error):
                raise to_graph_error(error) from error
            time.sleep(pause)


def _pause_seconds(failures: int) -> float:
    base = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
    return base * (0.5 + random.random())  # noqa: S311 - jitter


def is_transient(error: Exception) -> bool:
    """Whether the same statement may succeed when it is sent again."""
    if isinstance(error, Neo4jError):
        return error.is_retryable() or error.code == _ENTITY_GONE
    if isinstance(error, DriverError):
        return error.is_retryable() or isinstance(error, ServiceUnavailable)
    return isinstance(error, OSError)


def is_answer(error: Exception) -> bool:
    """Whether the error was sent by a server whose database runs; a refusal is an answer too."""
    return isinstance(error, Neo4jError) and not (error.code or "").endswith(_NO_DATABASE)


def to_graph_error(error: Exception) -> GraphError:
    """This folder's error for an error of the driver."""
    if isinstance(error, ConstraintError):
        match = _VIOLATION.search(error.message or "")
        return ConstraintViolatedError(match[1] if match else "")
    code = (error.code or "") if isinstance(error, Neo4jError) else ""
    if code.startswith(_TERMINATED):
        return GraphTimeoutError(str(error), for_lock=code.endswith("LockClientStopped"))
    if code.startswith(_INVALID) and code != _ENTITY_GONE:
        return GraphError(str(error))
    return GraphUnavailableError(str(error))
