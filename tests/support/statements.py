"""Cypher statements that only tests run."""

from graph.queries import Query


def statement(text: str) -> Query:
    """A query without a file."""
    return Query(
        name="test",
        summary="",
        text=text,
        parameters={},
        returns=(),
        index=(),
        sorts="",
        expands="",
    )
