"""The stores that the tests run on: real ones, started once a run, or those of the environment.

PHOTOFEED_TEST_STACK=env takes the stores that the environment names (NEO4J_URI and so on), as for
many short runs against servers that stand already.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from environs import Env

from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackError, StackSettings
from stack.local import end_leftovers, lock
from storage import Storage, StorageSettings
from tests.running import Running

ROOT = Path(__file__).resolve().parent.parent
RUNS_SIDE_BY_SIDE = 8

QUICK_JAVA = ("-XX:TieredStopAtLevel=1",)
"""Compile quickly rather than well: halves what Neo4j's start costs, and a run is short."""


@pytest.fixture(scope="session")
def stack_env() -> Iterator[dict[str, str]]:
    """What a process of ours is told: addresses, passwords, settings. In os.environ meanwhile."""
    if os.environ.get("PHOTOFEED_TEST_STACK") == "env":
        yield dict(os.environ)
        return
    settings = StackSettings(
        folder=empty_folder(), neo4j_pagecache="128m", neo4j_java_options=QUICK_JAVA
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
        yield graph


@pytest.fixture(scope="session")
def storage(stack_env: dict[str, str]) -> Iterator[Storage]:
    storage = Storage.open(StorageSettings.from_env(env_of(stack_env)))
    storage.photos.prepare_bucket()
    yield storage
    storage.close()


@pytest.fixture(scope="module")
def running(
    stack_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Our own processes on the stores of the other tests, for one module of journeys."""
    with Running(stack_env, folder=tmp_path_factory.mktemp("running")) as running:
        yield running


def env_of(values: Mapping[str, str]) -> Env:
    """An Env over the process's environment, in which `values` stand by now."""
    os.environ.update(values)
    return Env()


def empty_folder() -> Path:
    """A folder of the checkout that no other run uses, wiped of what an earlier one has left."""
    for number in range(1, RUNS_SIDE_BY_SIDE + 1):
        folder = ROOT / ".local" / "test" / str(number)
        try:
            held = lock(folder)
        except StackError:
            continue
        end_leftovers(folder, print)
        for path in folder.iterdir():
            if path.is_dir() and path.name != "neo4j":
                shutil.rmtree(path)
        for name in ("data", "logs", "run", "conf"):  # the jars may stay
            shutil.rmtree(folder / "neo4j" / name, ignore_errors=True)
        (folder / "secrets.env").unlink(missing_ok=True)
        held.close()
        return folder
    raise AssertionError(f"{RUNS_SIDE_BY_SIDE} test runs hold their folders already")
