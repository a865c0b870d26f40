"""Processes to kill, a stage on their stores, and a storage whose queue they serve."""

from collections.abc import Iterator

import neo4j
import pytest

from graph import Graph
from storage import Storage
from tests.support.stage import Stage, empty_queues
from tests.system.kills.processes import Processes


@pytest.fixture(scope="session")
def session_processes(stack_env: dict[str, str]) -> Iterator[Processes]:
    with Processes(stack_env) as processes:
        yield processes


@pytest.fixture
def processes(session_processes: Processes, stage: Stage) -> Iterator[Processes]:
    """Starts processes that end with the test. The sweeper skips the events of other tests."""
    stage.town.put_off_all()
    yield session_processes
    session_processes.end_all()


@pytest.fixture
def stage(graph: Graph, storage: Storage, session_processes: Processes) -> Iterator[Stage]:
    """The stage on the stores of the processes. No worker serves its queue."""
    with Stage(graph, storage, session_processes.env) as stage:
        yield stage


@pytest.fixture
def worker_storage(stage: Stage, session_processes: Processes) -> Iterator[Storage]:
    """The storage with the queue that the workers serve."""
    storage = stage.open_storage(queue_url=session_processes.env["QUEUE_REDIS_URL"])
    yield storage
    empty_queues(storage)


@pytest.fixture(scope="session")
def driver(stack_env: dict[str, str]) -> Iterator[neo4j.Driver]:
    login = (stack_env["NEO4J_USER"], stack_env["NEO4J_PASSWORD"])
    with neo4j.GraphDatabase.driver(stack_env["NEO4J_URI"], auth=login) as driver:
        yield driver
