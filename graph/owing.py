"""Writes that owe work: the event is created in the statement of the fact."""

from typing import Any

from graph.connection import Connection
from graph.errors import ConstraintViolatedError, IdTakenError
from graph.ids import new_id
from graph.queries import Query

DRAWS = 4
"""How many ids are tried for an event: two processes may draw one id in one millisecond."""


def write_owing(
    connection: Connection, query: Query, *, event_id: int, **parameters: Any
) -> list[dict[str, Any]]:
    """The rows of a statement that creates an event; another id is drawn where one is taken.

    It may be taken by this very statement, committed though its answer was lost; then the second
    event finds its work done.
    """
    for _ in range(DRAWS):
        try:
            return connection.write(query, event_id=event_id, **parameters)
        except ConstraintViolatedError as error:
            if error.of != "Event":
                raise
            event_id = new_id()
    raise IdTakenError(event_id)
