"""The stage of the race tests: users, posts, timelines, and steps that can be held.

Stores behind proxies hold one step of a process while the others continue. Steps run in threads; a
test waits for them with a bound.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from drill.support.proxy import Hold, Side
from feed import reading
from feed.pages import Cursor, FeedPage
from feed.rebuilding import rebuild
from graph import Graph
from graph.event_kinds import QUEUES
from graph.events import SHARDS, Event
from storage import Storage, StorageSettings
from storage.queues import bell_key
from storage.timeline_layout import lock_key, timeline_key
from storage.timelines import FINISH
from tests.support.environment import graph_settings, storage_settings
from tests.support.graph_pages import unbounded_pages
from tests.support.outbox import run
from tests.support.proxies import Proxies
from tests.support.town import Town
from workers.outbox import drain

T = TypeVar("T")

CAP, SLACK = 40, 10
"""A short timeline, so that a test reaches its end with few posts."""
LIMIT = 5
"""Posts in a page of the race tests."""
QUEUE_DATABASE = "15"
"""The queue's Redis database. No worker serves it: a test runs each job itself."""


class ImmediateRebuilder:
    """A rebuilder that builds before `schedule` returns."""

    def __init__(self, graph: Graph, storage: Storage) -> None:
        self._graph, self._storage = graph, storage

    def schedule(self, user_id: int) -> None:
        rebuild(self._graph, self._storage, user_id)


class NoRebuilder:
    """A rebuilder that drops every request, as a busy one does."""

    def schedule(self, _user_id: int) -> None:
        return


@dataclass(frozen=True, slots=True)
class ProxiedStores:
    """The stores of one process behind proxies, and the proxies."""

    graph: Graph
    storage: Storage
    to: Proxies

    def hold_query(self, name: str, *, side: Side = "request") -> Hold:
        """Hold this statement before the graph receives it; side "answer": hold its rows."""
        return self.to.hold_query(name, side=side)


Step = Callable[[ProxiedStores], Hold]
"""Holds a rebuild at a step."""


def before_the_lock(stores: ProxiedStores) -> Hold:
    return stores.to.cache.hold(b"tb:")


def before_the_reading(stores: ProxiedStores) -> Hold:
    return stores.hold_query("posts/feed_page")


def after_the_reading(stores: ProxiedStores) -> Hold:
    return stores.hold_query("posts/feed_page", side="answer")


def before_the_writing(stores: ProxiedStores) -> Hold:
    return stores.to.cache.hold(FINISH.digest)


class Stage:
    """Users, posts and timelines, with steps that run now or are held at a proxy."""

    def __init__(self, graph: Graph, storage: Storage, stack_env: Mapping[str, str]) -> None:
        self._stack = ExitStack()
        self._env = {
            **stack_env,
            "QUEUE_REDIS_URL": _with_database(stack_env["QUEUE_REDIS_URL"]),
            "TIMELINE_CAP": str(CAP),
            "TIMELINE_SLACK": str(SLACK),
        }
        self._storage_settings = storage_settings(self._env)
        self.graph = graph
        self._photos = storage.photos
        self.town = Town(graph)
        self.storage = self._open(self._storage_settings)
        self.graph_pages = unbounded_pages(self.storage)
        self._pool = self._stack.enter_context(ThreadPoolExecutor(8))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.town.forget_events()

    def behind_proxies(self) -> ProxiedStores:
        """Stores of one more process. Its connections can be held, cut and slowed."""
        proxies, env = Proxies.open(self._env)
        graph = Graph.open(replace(graph_settings(env), max_connections=8))
        self._stack.callback(graph.close)
        storage = self._open(storage_settings(env))
        self._stack.callback(proxies.close)
        return ProxiedStores(graph, storage, proxies)

    def open_storage(self, **settings: Any) -> Storage:
        """A second storage with some settings changed."""
        return self._open(replace(self._storage_settings, **settings))

    def begin(self, step: Callable[..., T], *arguments: Any, **named: Any) -> Future[T]:
        """Run the step in a thread; wait for it with `.result(seconds)`."""
        return self._pool.submit(step, *arguments, **named)

    def hold_job(
        self, event: Event, query: str, *, side: Side = "request"
    ) -> tuple[Hold, Future[str]]:
        """Run the event's job as another process, held at this statement; side as in hold_query."""
        stores = self.behind_proxies()
        hold = stores.hold_query(query, side=side)
        job = self.begin(run, stores.graph, stores.storage, event.id, event.epoch)
        hold.wait()
        return hold, job

    def hold_rebuild(self, user_id: int, step: Step) -> tuple[Hold, Future[bool]]:
        """Rebuild the user's list as another process, held at this step."""
        stores = self.behind_proxies()
        hold = step(stores)
        rebuilding = self.begin(rebuild, stores.graph, stores.storage, user_id)
        hold.wait()
        return hold, rebuilding

    # Steps that run at once, without a proxy.

    def do(self, event: Event | None) -> str:
        """Run the event's job; its outcome."""
        assert event is not None
        return run(self.graph, self.storage, event.id, event.epoch)

    def drain(self, event: Event) -> dict[int, str]:
        """Run a job for the event's shard; the outcomes by event."""
        return drain(self.graph, self.storage, event.queue, event.shard)

    def do_all(self, *user_ids: int) -> None:
        """Run the jobs of these users' events until no event is left."""
        for _ in range(20):
            events = self.town.events_of(*user_ids)
            if not events:
                return
            self.town.end_hold(*user_ids)
            for event in events:
                self.town.end_lease(event.id)
                self.do(self.town.find_event(event.id) or event)
        raise AssertionError(f"events left: {self.town.events_of(*user_ids)}")

    def end_week(self, user_id: int) -> None:
        """As if the seven days had passed in which the user's deletion can be undone."""
        self.town.query(
            "MATCH (user:User {id: $id}) SET user.leaves_at = timestamp() - 1"
            " WITH user MATCH (event:Event {id: user.leaving_event_id})"
            " SET event.due_at = timestamp()",
            id=user_id,
        )

    def audience(self, size: int) -> tuple[int, list[int]]:
        """An author and followers, all with lists."""
        author, *followers = self.town.users(size + 1)
        self.town.add_followers(author, followers)
        for user in (author, *followers):
            self.build(user)
        return author, followers

    def build(self, user_id: int) -> None:
        """Build the user's list from the graph."""
        assert rebuild(self.graph, self.storage, user_id)

    def rebuild(self, user_id: int) -> bool:
        return rebuild(self.graph, self.storage, user_id)

    def entries(self, user_id: int) -> list[int]:
        return self.storage.timelines.entries(user_id)

    def evict(self, *keys: str | bytes) -> None:
        """Delete these keys, as the cache may evict any key at any time."""
        assert keys
        self.storage.cache.client.delete(*keys)

    def evict_list(self, user_id: int) -> None:
        self.evict(timeline_key(user_id))

    def evict_lock(self, user_id: int) -> None:
        self.evict(lock_key(user_id))

    def page(
        self,
        viewer_id: int,
        cursor: Cursor | None = None,
        *,
        limit: int = LIMIT,
        rebuilds: bool = False,
    ) -> tuple[list[int], Cursor | None]:
        """A page of the feed as the API returns it: its ids, and the next cursor."""
        page = reading.read_page(
            self.graph,
            self.storage,
            ImmediateRebuilder(self.graph, self.storage) if rebuilds else NoRebuilder(),
            self.graph_pages,
            viewer_id=viewer_id,
            cursor=cursor,
            limit=limit,
        )
        return page_ids(page), page.next

    def read(self, viewer_id: int, *, limit: int = LIMIT, rebuilds: bool = False) -> list[int]:
        """The ids of the whole feed, read page by page. Asserts that they strictly fall."""
        seen: list[int] = []
        cursor: Cursor | None = None
        for _ in range(1000):
            ids, cursor = self.page(viewer_id, cursor, limit=limit, rebuilds=rebuilds)
            rebuilds = False
            seen += ids
            assert seen == sorted(set(seen), reverse=True), f"ids do not strictly fall: {seen}"
            if cursor is None:
                return seen
        raise AssertionError("the walk has no end")

    def check_feed(self, viewer_id: int, *, rebuilds: bool = False) -> None:
        """Assert that the viewer's first page and whole feed equal the expected feed."""
        expected = self.town.expected_feed(viewer_id)
        assert self.page(viewer_id)[0] == expected[:LIMIT]
        assert self.read(viewer_id, rebuilds=rebuilds) == expected

    def _open(self, settings: StorageSettings) -> Storage:
        with pytest.MonkeyPatch.context() as patch:
            # An S3 client takes half a second to create: all stages share one.
            patch.setattr("storage.Photos", lambda _settings: self._photos)
            storage = Storage.open(settings)
        self._stack.callback(storage.close)
        return storage


def page_ids(page: FeedPage) -> list[int]:
    """The ids of the posts in a page of the feed."""
    return [int(json.loads(body)["id"]) for body in page.bodies]


def empty_queues(storage: Storage) -> None:
    """Delete the waiting jobs and the bells of all queues. For queues that only the tests use."""
    for name in QUEUES:
        queue: Any = Queue(name, connection=storage.queue.client, serializer=JSONSerializer)
        queue.empty()
        storage.queue.client.delete(*(bell_key(name, shard) for shard in range(SHARDS)))


def _with_database(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{QUEUE_DATABASE}"))
