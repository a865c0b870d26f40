from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from drill.support.proxy import Proxy
from graph import Graph, GraphSettings
from graph.events import Event
from tests.support.town import Town


@pytest.fixture
def town(graph: Graph) -> Town:
    return Town(graph)


@pytest.fixture
def event(town: Town) -> Event:
    """The event of a follow, which is due."""
    ana, ben = town.users(2)
    event = town.follow(ana, ben)
    assert event
    return event


@pytest.fixture
def proxy(graph: Graph) -> Iterator[Proxy]:
    """A proxy before the graph."""
    with Proxy("127.0.0.1", urlsplit(graph.connection.settings.uri).port or 7687) as proxy:
        yield proxy


@pytest.fixture
def proxied_settings(graph: Graph, proxy: Proxy) -> GraphSettings:
    """The settings of the graph, with the address of the proxy."""
    return replace(graph.connection.settings, uri=f"bolt://127.0.0.1:{proxy.port}")
