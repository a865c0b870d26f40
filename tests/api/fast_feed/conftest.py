from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from environs import Env

from api.app import ApiSettings, create_app
from api.fast_feed.requests import PATH
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from observing.metrics import REQUESTS
from storage import Storage, StorageSettings
from tests.api.conftest import SETTINGS
from tests.support.eventually import eventually
from tests.support.fast_feed import FastFeedProcess
from tests.support.people import Builders, Person
from tests.support.stage import ImmediateRebuilder, NoRebuilder

Open = Callable[..., FastFeedProcess]


@pytest.fixture(scope="session")
def open_process(graph: Graph, storage: Storage) -> Iterator[Open]:
    """A function that starts one more process of the API, with stores of its own."""
    settings = StorageSettings.from_env(Env())
    with ExitStack() as closing:

        def open_it(
            *,
            cache_url: str = settings.cache_url,
            rebuilds: bool = False,
            of_graph: Graph = graph,
            api: ApiSettings = SETTINGS,
        ) -> FastFeedProcess:
            own = _open_storage(replace(settings, cache_url=cache_url), storage)
            closing.callback(own.close)
            rebuilder = _rebuilder(of_graph, own, rebuilds=rebuilds)
            process = FastFeedProcess(create_app(api, of_graph, own, rebuilder))
            closing.callback(process.close)
            return process

        yield open_it


@pytest.fixture(scope="module")
def process(open_process: Open) -> FastFeedProcess:
    """A process that rebuilds no timelines: a state stays as a test has created it."""
    return open_process()


@pytest.fixture(scope="module")
def reader(builders: Builders, storage: Storage) -> Person:
    """A user whose timeline exists, with a cached session."""
    return create_reader(builders, storage)


@pytest.fixture(scope="session")
def dead_graph(closed_port: int) -> Iterator[Graph]:
    """A graph that refuses connections."""
    settings = replace(GraphSettings.from_env(Env()), uri=f"bolt://127.0.0.1:{closed_port}")
    with Graph.open(settings) as graph:
        yield graph


def create_reader(builders: Builders, storage: Storage) -> Person:
    person = builders.new_user()
    for _ in range(3):
        builders.publish(person)
    eventually(lambda: bool(person.feed()) and storage.timelines.entries(person.id)[:1] == [0])
    return person


def counted_pages(process: FastFeedProcess) -> float:
    """Responses of this route that were logged and counted."""
    process.front._log.flush()
    return counted_requests(PATH, 200)


def counted_requests(route: str, status: int) -> float:
    return float(REQUESTS.labels("GET", route, status)._value.get())


def _rebuilder(graph: Graph, storage: Storage, *, rebuilds: bool) -> BackgroundRebuilder:
    rebuilder: Any = ImmediateRebuilder(graph, storage) if rebuilds else NoRebuilder()
    return rebuilder  # type: ignore[no-any-return]


def _open_storage(settings: StorageSettings, shared: Storage) -> Storage:
    with pytest.MonkeyPatch.context() as patch:
        # An S3 client takes half a second to create: all processes share one.
        patch.setattr("storage.Photos", lambda _settings: shared.photos)
        return Storage.open(settings)
