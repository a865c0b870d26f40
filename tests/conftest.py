"""The stores that the tests run on: real servers, started once a run, or those of the environment.

With PHOTOFEED_TEST_STACK=env the tests use the stores that the environment names (NEO4J_URI and so
on): for many short runs on servers that are up already.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from environs import Env

from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackSettings
from storage import Storage, StorageSettings
from tests.support.folders import free_folder
from tests.support.private_server import PrivateServer, start
from tests.support.stage import Stage
from tests.support.supervised_stack import (
    ALL_PROCESSES,
    QUICK_JAVA,
    SupervisedStack,
    external_stores,
    stop_and_discard,
)
from tests.support.tokens import TOKEN_KEY


@pytest.fixture(scope="session")
def stack_env() -> Iterator[dict[str, str]]:
    """The environment of our processes: addresses, passwords, settings. os.environ has it too."""
    if os.environ.get("PHOTOFEED_TEST_STACK") == "env":
        os.environ["TOKEN_KEYS"] = TOKEN_KEY
        yield dict(os.environ)
        return
    settings = StackSettings(
        folder=free_folder("stack"),
        neo4j_pagecache="128m",
        neo4j_java_options=QUICK_JAVA,
        token_keys=TOKEN_KEY,
    )
    before = dict(os.environ)
    with LocalStack(settings) as stack:
        os.environ.update(stack.env)
        yield stack.env
        os.environ.clear()
        os.environ.update(before)
        stop_and_discard(stack)


@pytest.fixture(scope="session")
def graph(stack_env: dict[str, str]) -> Iterator[Graph]:
    assert stack_env
    with Graph.open(GraphSettings.from_env(Env())) as graph:
        schema.apply(graph.connection)
        schema.warm(graph.connection)
        yield graph


@pytest.fixture(scope="session")
def storage(stack_env: dict[str, str]) -> Iterator[Storage]:
    assert stack_env
    storage = Storage.open(StorageSettings.from_env(Env()))
    storage.photos.prepare_bucket()
    yield storage
    storage.close()


@pytest.fixture
def stage(graph: Graph, storage: Storage, stack_env: dict[str, str]) -> Iterator[Stage]:
    """Users on the real stores, with a short timeline, and proxies that can hold a step."""
    with Stage(graph, storage, stack_env) as stage:
        yield stage


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PrivateServer]:
    """A cache with the settings of `make up`, which no other test uses."""
    with start(tmp_path, "maxmemory-policy volatile-lru", "timeout 10") as server:
        yield server


@pytest.fixture
def open_stage(
    graph: Graph, storage: Storage, stack_env: dict[str, str]
) -> Iterator[Callable[[str], Stage]]:
    """A function that opens a stage on the cache of a URL."""
    with ExitStack() as opened:

        def open_it(cache_url: str) -> Stage:
            env = {**stack_env, "CACHE_REDIS_URL": cache_url}
            return opened.enter_context(Stage(graph, storage, env))

        yield open_it


@pytest.fixture(scope="module")
def process_names() -> Sequence[str]:
    """The processes of `services`. A module that needs few of them overrides this."""
    return ALL_PROCESSES


@pytest.fixture(scope="module")
def services(stack_env: dict[str, str], process_names: Sequence[str]) -> Iterator[SupervisedStack]:
    """Our own processes on the stores of the other tests, for one module.

    They end with the module: their sweeper and workers would do the work of other tests.
    """
    with SupervisedStack(external_stores(stack_env), processes=process_names) as services:
        yield services
