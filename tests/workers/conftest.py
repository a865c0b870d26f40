"""The same stage as the races': real stores, a queue that nobody serves."""

from collections.abc import Iterator

import pytest

from graph import Graph
from tests.races.stage import Stage


@pytest.fixture
def stage(graph: Graph, stack_env: dict[str, str]) -> Iterator[Stage]:
    with Stage(graph, stack_env) as stage:
        yield stage
