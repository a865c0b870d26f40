"""Stores that may be killed, a Neo4j and two Redis servers, and our processes on them."""

from collections.abc import Iterator

import pytest

from graph import Graph
from storage import Storage
from tests.outages.gateway import Gateway
from tests.outages.stage import OutageStage
from tests.town import Town


@pytest.fixture(scope="session")
def stage(stack_env: dict[str, str]) -> Iterator[OutageStage]:
    with OutageStage(stack_env) as stage:
        yield stage


@pytest.fixture
def gateway(graph: Graph, storage: Storage) -> Iterator[Gateway]:
    assert storage  # whose settings stand in the environment by now
    with Gateway(graph) as gateway:
        yield gateway


@pytest.fixture
def graph_town(graph: Graph) -> Town:
    return Town(graph)
