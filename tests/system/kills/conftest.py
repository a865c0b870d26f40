"""A site of real processes, and a stage to make people on and to read as they would."""

from collections.abc import Iterator

import neo4j
import pytest

from graph import Graph
from storage import Storage
from tests.support.stage import Stage, empty_queues
from tests.system.kills.site import Site


@pytest.fixture(scope="session")
def servers(stack_env: dict[str, str]) -> Iterator[Site]:
    with Site(stack_env) as site:
        yield site


@pytest.fixture
def site(servers: Site, stage: Stage) -> Iterator[Site]:
    """The site, where nothing waits that other tests have left."""
    stage.town.mark_all_woken()
    yield servers
    servers.end_all()


@pytest.fixture
def stage(graph: Graph, storage: Storage, servers: Site) -> Iterator[Stage]:
    with Stage(graph, storage, servers.env) as stage:
        yield stage


@pytest.fixture
def bell(stage: Stage, servers: Site) -> Iterator[Storage]:
    """The storage that rings the workers of the site; the stage's own rings nobody."""
    bell = stage.open_storage(queue_url=servers.env["QUEUE_REDIS_URL"])
    yield bell
    empty_queues(bell)


@pytest.fixture(scope="session")
def driver(stack_env: dict[str, str]) -> Iterator[neo4j.Driver]:
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:
        yield driver
