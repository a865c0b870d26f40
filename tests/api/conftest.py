import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from environs import Env
from flask import Flask

from api.app import ApiSettings, create_app
from api.http.context import context_of
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from storage import Storage, StorageSettings
from storage.firm_limits import FirmLimits
from tests.support.people import Builders
from tests.support.tokens import TOKEN_KEY

SETTINGS = ApiSettings(
    cursor_secret="a secret of the tests", token_keys=(TOKEN_KEY,), limits_scale=10_000
)


@pytest.fixture(scope="session")
def rebuilder(graph: Graph, storage: Storage) -> Iterator[BackgroundRebuilder]:
    rebuilder = BackgroundRebuilder(graph, storage)
    yield rebuilder
    rebuilder.close()


@pytest.fixture(scope="session")
def app(graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder) -> Flask:
    return create_app(SETTINGS, graph, storage, rebuilder)


@pytest.fixture(scope="session")
def strict_app(graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder) -> Flask:
    """An app with the quotas of production behind one proxy, so that tests set their address."""
    return create_app(
        replace(SETTINGS, limits_scale=1, trusted_proxies=1), graph, storage, rebuilder
    )


@pytest.fixture
def strict_app_without_cache(app_without_cache: Flask) -> Flask:
    """The quotas of production, in a process of its own whose cache is away."""
    context = context_of(app_without_cache)
    settings = replace(context.settings, limits_scale=1, trusted_proxies=1)
    storage = replace(context.storage, firm_limits=FirmLimits(context.storage.cache))
    return create_app(settings, context.graph, storage, context.rebuilder)


@pytest.fixture(scope="session")
def builders(app: Flask, graph: Graph) -> Builders:
    return Builders(app, graph)


@pytest.fixture(scope="session")
def app_on(graph: Graph) -> Iterator[Callable[..., Flask]]:
    """A function that creates an app with other storage settings."""
    settings = StorageSettings.from_env(Env())
    with ExitStack() as closing:

        def make(of_graph: Graph = graph, **changes: str) -> Flask:
            storage = Storage.open(replace(settings, **changes))  # type: ignore[arg-type]
            closing.callback(storage.close)
            rebuilder = BackgroundRebuilder(of_graph, storage)
            closing.callback(rebuilder.close)
            return create_app(SETTINGS, of_graph, storage, rebuilder)

        yield make


@pytest.fixture(scope="session")
def closed_port() -> Iterator[int]:
    """A port that no process listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="session")
def app_without_cache(app_on: Callable[..., Flask], closed_port: int) -> Flask:
    return app_on(cache_url=f"redis://127.0.0.1:{closed_port}/0")


@pytest.fixture(scope="session")
def app_without_queue(app_on: Callable[..., Flask], closed_port: int) -> Flask:
    return app_on(queue_url=f"redis://127.0.0.1:{closed_port}/0")


@pytest.fixture(scope="session")
def app_without_graph(app_on: Callable[..., Flask], closed_port: int) -> Iterator[Flask]:
    settings = replace(GraphSettings.from_env(Env()), uri=f"bolt://127.0.0.1:{closed_port}")
    with Graph.open(settings) as graph:
        yield app_on(graph)
