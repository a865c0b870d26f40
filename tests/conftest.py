"""The stores that the tests run on: real ones, started once a run, or those of the environment.

PHOTOFEED_TEST_STACK=env takes the stores that the environment names (NEO4J_URI and so on), as for
many short runs against servers that stand already.
"""

import os
from collections.abc import Iterator, Mapping

import pytest
from environs import Env

from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackSettings
from storage import Storage, StorageSettings
from tests.folders import free_folder
from tests.running import Running

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
