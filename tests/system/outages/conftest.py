"""Processes on stores that a test may kill, and one API process whose stores can be cut off."""

from collections.abc import Iterator

import pytest

from graph import Graph
from tests.support.town import Town
from tests.system.outages.gateway import Gateway
from tests.system.outages.stage import OutageStage


@pytest.fixture(scope="module")
def stage(stack_env: dict[str, str]) -> Iterator[OutageStage]:
    with OutageStage(stack_env) as stage:
        yield stage


@pytest.fixture
def gateway(graph: Graph, stack_env: dict[str, str]) -> Iterator[Gateway]:
    with Gateway(graph, stack_env) as gateway:
        yield gateway


@pytest.fixture
def graph_town(graph: Graph) -> Town:
    return Town(graph)
