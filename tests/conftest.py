"""The stores that the tests run on: real ones, started once a run, or those of the environment.

PHOTOFEED_TEST_STACK=env takes the stores that the environment names (NEO4J_URI and so on), as for
many short runs against servers that stand already.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from environs import Env

from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackSettings
from storage import Storage, StorageSettings
from tests.support.folders import free_folder
from tests.support.private_server import PrivateServer, start
from tests.support.running import Running
from tests.support.stage import Stage

QUICK_JAVA = ("-XX:TieredStopAtLevel=1",)
"""Compile quickly rather than well: halves what Neo4j's start costs, and a run is short."""


@pytest.fixture(scope="session")
def stack_env() -> Iterator[dict[str, str]]:
    """What a process of ours is told: addresses, passwords, settings. In os.environ meanwhile."""
    if os.environ.get("PHOTOFEED_TEST_STACK") == "env":
        yield dict(os.environ)
        return
    settings = StackSettings(
        folder=free_folder("stack"), neo4j_pagecache="128m", neo4j_java_options=QUICK_JAVA
    )
    before = dict(os.environ)
    with LocalStack(settings) as stack:
        os.environ.update(stack.env)
        yield stack.env
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def graph(stack_env: dict[str, str]) -> Iterator[Graph]:
    with Graph.open(GraphSettings.from_env(env_of(stack_env))) as graph:
        schema.apply(graph.connection)
        schema.warm(graph.connection)
        yield graph


@pytest.fixture(scope="session")
def storage(stack_env: dict[str, str]) -> Iterator[Storage]:
    storage = Storage.open(StorageSettings.from_env(env_of(stack_env)))
    storage.photos.prepare_bucket()
    yield storage
    storage.close()


@pytest.fixture
def stage(graph: Graph, storage: Storage, stack_env: dict[str, str]) -> Iterator[Stage]:
    """People on the real stores, a short timeline, proxies where a step is to be held."""
    with Stage(graph, storage, stack_env) as stage:
        yield stage


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PrivateServer]:
    """A cache as `make up` sets it, which nobody else uses."""
    with start(tmp_path, "maxmemory-policy volatile-lru", "timeout 10") as server:
        yield server


@pytest.fixture
def open_stage(
    graph: Graph, storage: Storage, stack_env: dict[str, str]
) -> Iterator[Callable[[str], Stage]]:
    """Opens the stage on a cache of this URL."""
    with ExitStack() as opened:

        def open_it(cache_url: str) -> Stage:
            env = {**stack_env, "CACHE_REDIS_URL": cache_url}
            return opened.enter_context(Stage(graph, storage, env))

        yield open_it


@pytest.fixture(scope="module")
def running(stack_env: dict[str, str]) -> Iterator[Running]:
    """Our own processes on the stores of the other tests, for one module of journeys.

    No longer than that: their sweeper would take from other tests what those have made due.
    """
    with Running(stack_env) as running:
        yield running


def env_of(values: Mapping[str, str]) -> Env:
    """An Env over the process's environment, in which `values` stand by now."""
    os.environ.update(values)
    return Env()
