"""Writes with an idempotency key: a second one waits for the first, but not for long."""

from typing import Any

from graph.connection import Connection
from graph.errors import GraphTimeoutError, KeyInFlightError
from graph.queries import Query

IN_FLIGHT_SECONDS = (1.2, 0.8)
"""How long a write waits for another one with its key, or its photos, in two tries.

A graph that has just been started may plan the statement for longer than the first; then it is
ended at its first lock, too. One that is slow without waiting gets the time of any other write.
"""

TRIES = 4
"""How often a key that expired is freed and wanted again: others may want it at the same time."""


def write_keyed(connection: Connection, query: Query, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of the statement. Raises KeyInFlightError after two seconds of waiting."""
    for seconds in IN_FLIGHT_SECONDS:
        try:
            return connection.write(query, timeout_seconds=seconds, **parameters)
        except GraphTimeoutError as error:
            if not error.for_lock:
                break
    else:
        raise KeyInFlightError
    return connection.write(query, **parameters)
