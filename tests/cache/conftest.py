"""The stage of the races, on a cache of the test's own that may be killed, filled and replaced."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from graph import Graph
from storage import Storage
from tests.races.stage import Stage
from tests.storage.private import PrivateServer, start


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


@pytest.fixture
def stage(open_stage: Callable[[str], Stage], cache: PrivateServer) -> Stage:
    """The stage on the test's own cache."""
    return open_stage(cache.url)
