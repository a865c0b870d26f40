"""The query plans of the product's statements, made anew, as the planner would choose them now."""

from collections.abc import Iterator
from typing import Any

from graph import Graph
from graph.queries import LOADED, Query

SAMPLES = {
    "integer": 1,
    "text": "x",
    "float": 1.5,
    "boolean": True,
    "map": {},
    "list of integers": [1],
    "list of texts": ["x"],
}
PAIRS = "list of ["


def sample_value(meaning: str) -> Any:
    """A value of the type that a parameter's meaning begins with. Raises StopIteration."""
    if meaning.startswith(PAIRS):
        return [[1, 2]]
    return next(value for type_, value in SAMPLES.items() if meaning.startswith(type_))


def explain(graph: Graph, query: Query) -> tuple[list[str], list[dict[str, Any]]]:
    """A query's column names, and the operators of a new plan, those that start it first."""
    parameters = {name: sample_value(meaning) for name, meaning in query.parameters.items()}
    connection = graph.connection
    with connection._driver.session(database=connection._database) as session:  # noqa: SLF001
        result = session.run(f"CYPHER replan=force EXPLAIN {query.text}", parameters)
        keys = result.keys()
        plan = result.consume().plan
    if not plan:
        raise RuntimeError(f"{query.name} has no plan")
    return list(keys), list(operators(plan))


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's operators, each after those that it reads from."""
    for child in plan.get("children", []):
        yield from operators(child)
    yield plan


def operator_names(graph: Graph) -> dict[str, list[str]]:
    """The operators of every statement's plan, by the statement's name, without the schema's."""
    return {
        name: [operator["operatorType"].partition("@")[0] for operator in explain(graph, query)[1]]
        for name, query in sorted(LOADED.items())
        if not name.startswith("schema/")
    }
