"""An app as one process of its own, with a proxy before each of its stores."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from api.app import ApiSettings, create_app
from feed.background import BackgroundRebuilder
from graph import Graph
from storage import Storage
from tests.support.environment import graph_settings, storage_settings
from tests.support.eventually import eventually
from tests.support.people import Builders, Person
from tests.support.proxies import Proxies
from tests.support.tokens import TOKEN_KEY

SETTINGS = ApiSettings(
    cursor_secret="a secret of the outages", token_keys=(TOKEN_KEY,), limits_scale=10_000
)


class Gateway:
    """An app whose stores can be cut off. The builders reach the graph without a proxy."""

    def __init__(self, graph: Graph, stack_env: Mapping[str, str]) -> None:
        self._opened = ExitStack()
        self.to, env = Proxies.open(stack_env)
        self._opened.callback(self.to.close)
        self.graph = Graph.open(graph_settings(env), circuit=True)
        self._opened.callback(self.graph.close)
        self.storage = Storage.open(storage_settings(env))
        self._opened.callback(self.storage.close)
        rebuilder = BackgroundRebuilder(self.graph, self.storage)
        self._opened.callback(rebuilder.close)
        self.app = create_app(SETTINGS, self.graph, self.storage, rebuilder)
        self.builders = Builders(self.app, graph)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def reader_of(self, author: Person) -> Person:
        """A user who follows the author, with timeline, bodies and session in the cache."""
        reader = self.builders.new_user()
        reader.follow(author)
        eventually(lambda: reader.feed() and is_cached(self.storage, reader))
        return reader


def is_cached(storage: Storage, reader: Person) -> bool:
    """Whether the cache has the reader's timeline and the bodies of its posts."""
    post_ids = storage.timelines.window(reader.id, 24).post_ids
    return bool(post_ids) and all(storage.bodies.read_many(post_ids).values())
