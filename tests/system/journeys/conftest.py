from collections.abc import Callable, Iterator

import neo4j
import pytest

from tests.support.running import Running
from tests.system.journeys.people import Filler, Person


@pytest.fixture
def person(running: Running) -> Callable[[str], Person]:
    """Signs someone up."""
    return lambda name: Person(running.url, name)


@pytest.fixture(scope="module")
def filler(stack_env: dict[str, str]) -> Iterator[Filler]:
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:
        yield Filler(driver)
