"""The constraints and indexes of cypher/schema/, and a graph that is ready to answer."""

import time

from graph.connection import Connection
from graph.queries import FOLDER, LOADED, Query, load

AWAIT_INDEXES = load("schema/await_indexes")
STATEMENTS = [
    load(f"schema/{path.stem}")
    for path in sorted((FOLDER / "schema").glob("*.cypher"))
    if f"schema/{path.stem}" not in LOADED
]

APPLY_SECONDS = 300
"""How long one statement may take where the graph already has data."""

WARM_SECONDS = 20.0
"""How long warm() goes on asking what will be asked soon; planning anew is slow after a start."""

WARMED = (
    "posts/create",
    "posts/feed_page",
    "posts/many",
    "users/visible",
    "sessions/by_id",
    "events/claim",
    "follows/create",
    "photos/create",
    "follows/followers_page",
    "photos/complete",
    "users/facts",
)
"""Queries to ask in advance, the most impatient first. With ids of nobody they change nothing."""

_NOTHING = {"integer": 1, "text": "", "float": 0.0, "list": [1], "map": {}}


def apply(connection: Connection) -> None:
    """Make every constraint and index that is not there, and wait until they are in use.

    Safe to repeat.
    """
    for statement in STATEMENTS:
        connection.write(statement, timeout_seconds=APPLY_SECONDS)
    connection.write(AWAIT_INDEXES, timeout_seconds=APPLY_SECONDS, seconds=APPLY_SECONDS)


def warm(connection: Connection) -> None:
    """Ask the most frequent queries once, of nobody: the first minute after a start is slow.

    For a thread that nobody waits for. Raises GraphUnavailableError.
    """
    until = time.monotonic() + WARM_SECONDS
    for query in (LOADED[name] for name in WARMED if name in LOADED):
        if time.monotonic() > until:
            return
        connection.write(query, timeout_seconds=APPLY_SECONDS, **_parameters_of_nobody(query))


def _parameters_of_nobody(query: Query) -> dict[str, object]:
    """Parameters of the types that the header says, with which nothing is found."""
    return {
        name: next(value for kind, value in _NOTHING.items() if meaning.startswith(kind))
        for name, meaning in query.parameters.items()
    }
