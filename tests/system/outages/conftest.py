"""Stores that may be killed, a Neo4j and two Redis servers, and our processes on them."""

from collections.abc import Iterator

import pytest

from graph import Graph
from storage import Storage
from tests.support.town import Town
from tests.system.outages.gateway import Gateway
from tests.system.outages.stage import OutageStage


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
