"""Nothing blocks the loop's thread: no socket, lock, sleep, file or counter in our code there."""

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from api.app import create_app
from api.loop.messages import Answer
from feed.background import BackgroundRebuilder
from feed.copies import Copies
from feed.rebuilding import rebuild
from graph import Graph
from observing.metrics import REQUESTS
from storage import Storage, changes
from tests.api.conftest import SETTINGS
from tests.support.asgi import scope_of
from tests.support.asgi_client import LoopApp, running
from tests.support.blocking import Watch, watched_locks
from tests.support.environment import storage_settings
from tests.support.eventually import eventually
from tests.support.live import PATH as LIVE
from tests.support.live import LocalStream
from tests.support.people import Builders, Person
from tests.support.tokens import TOKENS

FEED = "/v1/me/feed"
AT_CONNECTING = "take_replies"
"""Takes a lock once for each new connection to the cache. It is held for one assignment."""


def session_id_of(person: Person) -> int:
    token = TOKENS.read(person.token)
    assert token
    return token.session_id


def build_timeline(graph: Graph, storage: Storage, person: Person) -> None:
    """Builds the user's timeline, unless a read has had it built."""
    assert rebuild(graph, storage, person.id) or storage.timelines.entries(person.id)


class Stage:
    """An application of its own on the real stores, whose loop is watched."""

    def __init__(self, app: LoopApp, loop: asyncio.AbstractEventLoop, watch: Watch) -> None:
        self._app = app
        self._loop = loop
        self._watch = watch

    def blocking_calls(self) -> set[str]:
        """The blocking calls that were found, but for those of a new connection."""
        return {call for call in self._watch.found if not call.endswith(AT_CONNECTING)}

    def get(self, token: str, target: str = FEED, *headers: tuple[bytes, bytes]) -> Answer:
        authorization = (b"authorization", f"Bearer {token}".encode())
        return self._app.send(scope_of("GET", target, [authorization, *headers]))

    def open(self, token: str) -> LocalStream:
        authorization = (b"authorization", f"Bearer {token}".encode())
        return LocalStream(self._app.app, self._loop, scope_of("GET", LIVE, [authorization]))


@pytest.fixture
def stage(
    graph: Graph, stack_env: dict[str, str], rebuilder: BackgroundRebuilder
) -> Iterator[Stage]:
    """An application of its own on the real stores: its locks are made while locks are watched."""
    with watched_locks() as locks:
        storage = Storage.open(storage_settings(stack_env))
        app = create_app(replace(SETTINGS, limits_scale=1), graph, storage, rebuilder)
        with running(app) as (loop_app, loop):
            watch = Watch(loop.thread)
            locks.watch = watch
            loop.loop.call_soon_threadsafe(sys.setprofile, watch.profile)
            yield Stage(loop_app, loop.loop, watch)
            loop.loop.call_soon_threadsafe(sys.setprofile, None)
    storage.close()


@pytest.fixture
def reader(builders: Builders) -> Person:
    """A user with 30 posts in the feed and a timeline."""
    author, reader = builders.new_user(), builders.new_user()
    reader.follow(author)
    for number in range(30):
        builders.publish(author, caption=f"post {number}")
    eventually(lambda: len(reader.feed()) == 30)
    return reader


def test_the_loop_waits_for_nothing_on_any_page(
    stage: Stage, reader: Person, graph: Graph, storage: Storage
) -> None:
    build_timeline(graph, storage, reader)
    first = stage.get(reader.token)
    cursor = json.loads(first.body)["next"]
    tag = dict(first.headers)[b"etag"]
    answers = {
        "first page, kept": stage.get(reader.token),
        "not modified": stage.get(reader.token, FEED, (b"if-none-match", tag)),
        "page below a cursor": stage.get(reader.token, f"{FEED}?limit=3&cursor={cursor}"),
        "refused token": stage.get(f"pf_{reader.id}_7_{'A' * 43}"),
        "no token": stage.get(""),
        "by Flask": stage.get(reader.token, "/v1/me"),
        "unusual": stage.get(reader.token, f"{FEED}?page=2"),
    }
    storage.timelines.drop(reader.id)
    answers["from the graph"] = stage.get(reader.token)
    storage.sessions.drop(reader.id, [session_id_of(reader)])
    answers["session not in the cache"] = stage.get(reader.token)
    statuses = {name: answer.status for name, answer in answers.items()}
    assert statuses == {
        "first page, kept": 200,
        "not modified": 304,
        "page below a cursor": 200,
        "refused token": 401,
        "no token": 401,
        "by Flask": 200,
        "unusual": 422,
        "from the graph": 200,
        "session not in the cache": 200,
    }
    assert stage.blocking_calls() == set()


def test_the_loop_waits_for_nothing_while_quotas_are_used_up_and_settled(
    stage: Stage, reader: Person
) -> None:
    def status() -> int:
        return stage.get(reader.token).status

    while status() != 429:
        pass
    eventually(lambda: status() == 429)  # the upkeep settles once a second, also meanwhile
    assert stage.blocking_calls() == set()


def test_a_changed_body_and_a_new_name_are_read_without_waiting(
    stage: Stage, reader: Person, builders: Builders, graph: Graph, storage: Storage
) -> None:
    author = builders.new_user()
    reader.follow(author)
    posts = [int(builders.publish(author)["id"]) for _ in range(3)]
    eventually(lambda: set(posts) <= set(reader.feed()))
    build_timeline(graph, storage, reader)
    assert stage.get(reader.token).status == 200
    assert author.delete(f"/v1/posts/{posts[0]}").status_code == 204
    assert author.patch("/v1/me", json={"name": "Renamed"}).status_code == 200
    page = stage.get(reader.token).body.decode()
    assert f'"{posts[0]}"' not in page
    assert "Renamed" in page
    assert stage.blocking_calls() == set()


def test_streams_wait_for_nothing(
    stage: Stage, reader: Person, builders: Builders, graph: Graph, storage: Storage
) -> None:
    build_timeline(graph, storage, reader)
    author = builders.new_user()
    reader.follow(author)
    stream, uncached = stage.open(reader.token), stage.open(builders.new_user().token)
    refused = [stage.open(token) for token in ("", f"pf_{reader.id}_7_{'A' * 43}")]
    assert [answer.status for answer in refused] == [401, 401]
    eventually(lambda: "retry:" in stream.text and "retry:" in uncached.text)
    newest = int(builders.publish(author)["id"])
    storage.timelines.push([reader.id], newest, read_at=time.monotonic())
    eventually(lambda: "event: tick" in stream.text)
    storage.read_positions.drop(reader.id)  # the next count needs a thread
    storage.newest_notifications.raise_to({reader.id: newest})
    storage.timelines.push([reader.id], newest - 1, read_at=time.monotonic())
    eventually(lambda: stream.text.count("event: tick") == 2 and "notification" in stream.text)
    storage.timelines.drop(reader.id)
    storage.sessions.drop(reader.id, [session_id_of(reader)])
    storage.changes.announce([changes.user(reader.id)])
    eventually(lambda: storage.sessions.read(reader.id, session_id_of(reader)))
    assert reader.delete("/v1/me/sessions/current").status_code == 204
    eventually(lambda: "event: signed-out" in stream.text)
    for opened in (stream, uncached):
        opened.close()
    assert stage.blocking_calls() == set()


@pytest.mark.parametrize("name", ["sleep", "file", "lock", "socket", "counter"])
def test_the_watch_finds_what_blocks(stage: Stage, reader: Person, name: str) -> None:
    """Each is planted where the front works; without this the tests above could prove nothing."""
    lock = threading.Lock()

    def use_lock() -> None:
        with lock:
            pass

    def use_socket() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some_socket:
            some_socket.connect(("127.0.0.1", 9))

    planted: dict[str, Callable[[], object]] = {
        "sleep": lambda: time.sleep(0),
        "file": lambda: sys.stderr.write(""),
        "lock": use_lock,
        "socket": use_socket,
        "counter": lambda: REQUESTS.labels("GET", "planted", 200).inc(0),
    }
    original = Copies.session

    def session(*arguments: Any) -> Any:
        planted[name]()
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Copies, "session", session)
        stage.get(reader.token)
    assert stage.blocking_calls()
