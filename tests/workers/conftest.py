"""The same stage as the races': real stores, a queue that nobody serves."""

from collections.abc import Iterator

import pytest

from graph import Graph
from storage import Storage
from tests.races.stage import Stage


@pytest.fixture
def stage(graph: Graph, storage: Storage, stack_env: dict[str, str]) -> Iterator[Stage]:
    with Stage(graph, storage, stack_env) as stage:
        yield stage
