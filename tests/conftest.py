"""The stores that the tests run on: real ones, started once a run, or those of the environment."""

import os
from collections.abc import Iterator

import pytest
from environs import Env

from graph import Graph, GraphSettings, schema
from storage import Storage, StorageSettings


@pytest.fixture(scope="session")
def stack_env() -> dict[str, str]:
    return dict(os.environ)


@pytest.fixture(scope="session")
def graph(stack_env: dict[str, str]) -> Iterator[Graph]:
    with Graph.open(GraphSettings.from_env(Env())) as graph:
        schema.apply(graph.connection)
        yield graph


@pytest.fixture(scope="session")
def storage(stack_env: dict[str, str]) -> Iterator[Storage]:
    storage = Storage.open(StorageSettings.from_env(Env()))
    storage.photos.prepare_bucket()
    yield storage
    storage.close()
