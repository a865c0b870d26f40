"""Creates the constraints and indexes of cypher/schema/, and warms up the graph."""

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
"""Time limit of one schema statement; a graph with data needs minutes."""

WARM_SECONDS = 20.0
"""Time after which warm() starts no further query. Planning is slow after a start."""

WARM_QUERIES = (
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
"""Queries to warm, the most urgent first. With ids that do not exist they change nothing."""

_NO_MATCH = {"integer": 1, "text": "", "float": 0.0, "boolean": False, "list": [1], "map": {}}


def apply(connection: Connection) -> None:
    """Create the missing constraints and indexes, and wait until they are online.

    Safe to repeat.
    """
    for statement in STATEMENTS:
        connection.write(statement, timeout_seconds=APPLY_SECONDS)
    connection.write(AWAIT_INDEXES, timeout_seconds=APPLY_SECONDS, seconds=APPLY_SECONDS)


def warm(connection: Connection) -> None:
    """Run the most frequent queries once, without effect: the graph is slow after a start.

    Call it from a background thread. Raises GraphUnavailableError.
    """
    until = time.monotonic() + WARM_SECONDS
    for query in (LOADED[name] for name in WARM_QUERIES if name in LOADED):
        if time.monotonic() > until:
            return
        connection.write(query, timeout_seconds=APPLY_SECONDS, **_parameters_without_match(query))


def _parameters_without_match(query: Query) -> dict[str, object]:
    """Parameters of the types in the header, which match nothing."""
    return {
        name: next(value for kind, value in _NO_MATCH.items() if meaning.startswith(kind))
        for name, meaning in query.parameters.items()
    }
