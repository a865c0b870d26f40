"""The app as one process of its own: its ways to graph, cache and queue go through proxies."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from environs import Env

from api.app import ApiSettings, create_app
from drill.support.proxy import Proxy, proxied
from feed.background import BackgroundRebuilder
from graph import Graph, GraphSettings
from storage import Storage, StorageSettings
from tests.support.eventually import eventually
from tests.support.builders import Builders
from tests.support.people import Person

SETTINGS = ApiSettings(cursor_secret="a secret of the outages", limits_scale=10_000)


class Gateway:
    """An app whose stores can be cut off from it; `straight` is the same graph without a detour."""

    def __init__(self, straight: Graph) -> None:
        self._opened = ExitStack()
        graph_settings = GraphSettings.from_env(Env())
        storage_settings = StorageSettings.from_env(Env())
        self.to_graph, graph_uri = self._proxied(graph_settings.uri)
        self.to_cache, cache_url = self._proxied(storage_settings.cache_url)
        self.to_queue, queue_url = self._proxied(storage_settings.queue_url)
        self.to_s3, s3_url = self._proxied(storage_settings.s3_endpoint_url)
        self.graph = Graph.open(replace(graph_settings, uri=graph_uri), circuit=True)
        self._opened.callback(self.graph.close)
        self.storage = Storage.open(
            replace(
                storage_settings,
                cache_url=cache_url,
                queue_url=queue_url,
                s3_endpoint_url=s3_url,
            )
        )
        self._opened.callback(self.storage.close)
        rebuilder = BackgroundRebuilder(self.graph, self.storage)
        self._opened.callback(rebuilder.close)
        self.app = create_app(SETTINGS, self.graph, self.storage, rebuilder)
        self.builders = Builders(self.app, straight)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def reader_of(self, author: Person) -> Person:
        """Somebody who follows the author, and whose feed, bodies and session the cache has."""
        reader = self.builders.new_user()
        reader.follow(author)
        eventually(lambda: reader.feed() and self._in_the_cache(reader), seconds=20)
        return reader

    def _in_the_cache(self, reader: Person) -> bool:
        entries = self.storage.timelines.window(reader.id, 24).entries
        bodies = [body for entry, body in entries if entry > 0]  # without the sentinel
        return bool(bodies) and all(bodies)

    def _proxied(self, url: str) -> tuple[Proxy, str]:
        proxy, by_way = proxied(url)
        self._opened.enter_context(proxy)
        return proxy, by_way
