from collections.abc import Callable, Iterator
from typing import Any

import neo4j
import pytest
from click.testing import Result
from flask import Flask

from graph import Graph
from graph.ids import new_id
from operators.commands import create_app
from storage import Storage
from tests.support.town import Town

KIND = "of-the-tests"

Flask_ = Callable[..., Result]
"""Runs `flask` with these arguments, in this process."""


@pytest.fixture(scope="session")
def commands(graph: Graph, storage: Storage) -> Flask:
    """The app of the commands, on prepared stores."""
    assert graph
    assert storage
    return create_app()


@pytest.fixture
def town(graph: Graph, storage: Storage) -> Town:
    assert storage
    return Town(graph)


@pytest.fixture
def flask(commands: Flask) -> Flask_:
    runner = commands.test_cli_runner()

    def run(*arguments: str | int) -> Result:
        group, *rest = map(str, arguments)
        result = runner.invoke(commands.cli.commands[group], rest)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def create_event(stack_env: dict[str, str]) -> Iterator[Callable[..., int]]:
    """A function that creates an event, in quarantine unless it gets a due time; its id.

    Its kind is unknown by default, so no worker claims it.
    """
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    ids: list[int] = []
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:

        def create(*, due_in_ms: int | None = None, **facts: Any) -> int:
            event_id = new_id()
            defaults = {"kind": KIND, "subject_id": 1, "author_id": 2, "cursor": 0}
            driver.execute_query(
                "CREATE (event:Event) SET event = $facts, event.shard = $facts.id % 16 "
                "FOREACH (_ IN CASE WHEN $due_in_ms IS NULL THEN [0] ELSE [] END | "
                "SET event:Quarantined) "
                "SET event.due_at = timestamp() + $due_in_ms",
                facts={
                    **defaults,
                    "epoch": 9,
                    "attempts": 8,
                    "queue": "photos",
                    "tried": True,
                    "id": event_id,
                    **facts,
                },
                due_in_ms=due_in_ms,
            )
            ids.append(event_id)
            return event_id

        yield create
        driver.execute_query("MATCH (event:Event) WHERE event.id IN $ids DELETE event", ids=ids)
