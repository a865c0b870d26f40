"""What the races are played on.

A worker on the stage has stores of its own behind proxies, so that one step of it can be held
while everybody else goes on; steps run in threads that are waited for with a bound.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest
from environs import Env
from rq import Queue
from rq.serializers import JSONSerializer

from drill.support.proxy import Hold, Proxy, Side, proxied
from feed import reading
from feed.pages import Cursor
from feed.rebuilding import rebuild
from graph import Graph, GraphSettings
from graph.event_kinds import QUEUES
from graph.events import Event
from graph.queries import LOADED
from storage import Storage, StorageSettings
from tests.support.town import Town
from workers.outbox import run

T = TypeVar("T")

CAP, SLACK = 40, 10
"""A short timeline: what happens at its end happens soon."""
LIMIT = 5
"""Posts a page in the races."""
BELL = "15"
"""The queue's database that nobody serves: on the stage a job is run when its turn has come."""


class AtOnce:
    """A rebuilder that has done its work when the read returns."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph, self._storage = graph, storage

    def ask(self, user_id: int) -> None:
        rebuild(self._graph, self._storage, user_id)


class Never:
    """A rebuilder that is busy with others."""

    def ask(self, _user_id: int) -> None:
        return


@dataclass(frozen=True, slots=True)
class Held:
    """Stores behind proxies, and those proxies."""

    graph: Graph
    storage: Storage
    to_graph: Proxy
    to_cache: Proxy
    to_queue: Proxy

    def at_query(self, name: str, *, side: Side = "request") -> Hold:
        """Stop before the graph gets this statement; side "answer": before its rows come back."""
        return self.to_graph.hold(LOADED[name].text.encode(), side=side)


class Stage:
    """Users, posts and timelines, and the ways to run a step now or to hold it."""

    def __init__(self, graph: Graph, storage: Storage, stack_env: dict[str, str]) -> None:
        self._stack = ExitStack()
        with _environment(stack_env) as env:
            self._graph_settings = replace(GraphSettings.from_env(env), max_connections=8)
            settings = StorageSettings.from_env(env)
        self._storage_settings = replace(
            settings,
            queue_url=_with_database(settings.queue_url),
            timeline_cap=CAP,
            timeline_slack=SLACK,
        )
        self.graph = graph
        self._photos = storage.photos
        self.town = Town(graph)
        self.storage = self._opened(self._storage_settings)
        self._pool = self._stack.enter_context(ThreadPoolExecutor(8))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.town.forget_events()

    def behind_proxies(self) -> Held:
        """Stores of one process whose connections can be held, cut and slowed."""
        to_graph, graph_uri = proxied(self._graph_settings.uri)
        to_cache, cache_url = proxied(self._storage_settings.cache_url)
        graph = Graph.open(replace(self._graph_settings, uri=graph_uri))
        self._stack.callback(graph.close)
        to_queue, queue_url = proxied(self._storage_settings.queue_url)
        storage = self.open_storage(cache_url=cache_url, queue_url=queue_url)
        for proxy in (to_graph, to_cache, to_queue):
            self._stack.callback(proxy.close)
        return Held(graph, storage, to_graph, to_cache, to_queue)

    def open_storage(self, **settings: Any) -> Storage:
        """A storage of its own with some settings changed."""
        return self._opened(replace(self._storage_settings, **settings))

    def begin(self, step: Callable[..., T], *arguments: Any, **named: Any) -> Future[T]:
        """The step, in a thread; ask for `.result(seconds)`."""
        return self._pool.submit(step, *arguments, **named)

    # What happens now, unhindered.

    def do(self, event: Event | None) -> str:
        """The event's job."""
        assert event is not None
        return run(self.graph, self.storage, event.id, event.epoch)

    def do_all(self, *user_ids: int) -> None:
        """Everything owed for these users, until nothing is."""
        for _ in range(20):
            events = self.town.events_of(*user_ids)
            if not events:
                return
            self.town.end_hold(*user_ids)
            for event in events:
                self.town.end_lease(event.id)
                self.do(self.town.find_event(event.id) or event)
        raise AssertionError(f"still owed: {self.town.events_of(*user_ids)}")

    def build(self, user_id: int) -> None:
        """A list that stands, with what is true now."""
        assert rebuild(self.graph, self.storage, user_id)

    def rebuild(self, user_id: int) -> bool:
        return rebuild(self.graph, self.storage, user_id)

    def entries(self, user_id: int) -> list[int]:
        return self.storage.timelines.whole(user_id)

    def evict(self, *keys: str) -> None:
        """As the cache does with any key at any time."""
        assert keys
        self.storage.cache.client.delete(*keys)

    def evict_list(self, user_id: int) -> None:
        self.evict(f"tl:{user_id:014x}")

    def evict_lock(self, user_id: int) -> None:
        self.evict(f"tb:{user_id:014x}")

    def page(
        self,
        viewer_id: int,
        cursor: Cursor | None = None,
        *,
        limit: int = LIMIT,
        rebuilds: bool = False,
    ) -> tuple[list[int], Cursor | None]:
        """One page of the feed as the API answers it: ids, and the next cursor."""
        page = reading.page(
            self.graph,
            self.storage,
            AtOnce(self.graph, self.storage) if rebuilds else Never(),
            viewer_id=viewer_id,
            cursor=cursor,
            limit=limit,
        )
        return [int(json.loads(body)["id"]) for body in page.bodies], page.next

    def read(self, viewer_id: int, *, limit: int = LIMIT, rebuilds: bool = False) -> list[int]:
        """The whole feed, walked page by page; checks that ids fall and nothing comes twice."""
        seen: list[int] = []
        cursor: Cursor | None = None
        for _ in range(1000):
            ids, cursor = self.page(viewer_id, cursor, limit=limit, rebuilds=rebuilds)
            rebuilds = False
            seen += ids
            assert seen == sorted(set(seen), reverse=True), f"not falling: {seen}"
            if cursor is None:
                return seen
        raise AssertionError("the walk does not end")

    def right(self, viewer_id: int, *, rebuilds: bool = False) -> None:
        """The viewer's feed is what it must be: first page by itself, and the whole walk."""
        truth = self.town.truth(viewer_id)
        assert self.page(viewer_id)[0] == truth[:LIMIT]
        assert self.read(viewer_id, rebuilds=rebuilds) == truth

    def _opened(self, settings: StorageSettings) -> Storage:
        with pytest.MonkeyPatch.context() as patch:
            # A client of S3 takes half a second to make; the races share the run's.
            patch.setattr("storage.Photos", lambda _settings: self._photos)
            storage = Storage.open(settings)
        self._stack.callback(storage.close)
        return storage


def empty_queues(storage: Storage) -> None:
    """No job waits any more, in queues that are the tests' own."""
    for name in QUEUES:
        queue: Any = Queue(name, connection=storage.queue.client, serializer=JSONSerializer)
        queue.empty()


def _with_database(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{BELL}"))


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[Env]:
    """The environment of the tests' stack, which need not be this process's."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield Env()
