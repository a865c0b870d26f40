"""The constraints and indexes of cypher/schema/, and a graph that is ready to answer."""

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


def apply(connection: Connection) -> None:
    """Make every constraint and index that is not there, and wait until they are in use.

    Safe to repeat. Then the most frequent queries are asked once, as the first minute after a
    start is many times slower.
    """
    for statement in STATEMENTS:
        connection.write(statement, timeout_seconds=APPLY_SECONDS)
    connection.write(AWAIT_INDEXES, timeout_seconds=APPLY_SECONDS, seconds=APPLY_SECONDS)
    for query in _reads():
        connection.write(query, timeout_seconds=APPLY_SECONDS, **_nothing(query))


def _reads() -> list[Query]:
    """The queries behind the most frequent requests, as far as their modules are loaded."""
    names = ("posts/feed_page", "posts/many", "users/visible", "follows/followers_page")
    return [LOADED[name] for name in names if name in LOADED]


def _nothing(query: Query) -> dict[str, object]:
    """Parameters that find nothing."""
    return {
        name: [] if meaning.startswith("list") else 1 for name, meaning in query.parameters.items()
    }
