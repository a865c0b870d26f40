"""One stage for the races: real stores, a short timeline, proxies where a step is to be held."""

from collections.abc import Iterator

import pytest

from graph import Graph
from tests.races.stage import Stage


@pytest.fixture
def stage(graph: Graph, stack_env: dict[str, str]) -> Iterator[Stage]:
    with Stage(graph, stack_env) as stage:
        yield stage
