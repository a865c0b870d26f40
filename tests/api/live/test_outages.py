"""Streams while the cache is away, while counts are late, and after a stop."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from environs import Env
from prometheus_client import REGISTRY

from api.app import create_app
from api.live import application, counting, journal, rounds, streams
from api.live.counting import UNKNOWN_COUNT, Counting
from api.services.tokens import new_token
from feed import unread
from feed.background import BackgroundRebuilder
from feed.unread import UnreadCount, UnreadReport
from graph import Graph
from storage import Storage, StorageSettings
from storage.errors import StorageUnavailableError
from storage.redis.pipeline import Pipeline
from storage.sessions import SessionCopy
from tests.api.conftest import SETTINGS
from tests.api.live.conftest import OpenServer, Reader
from tests.support.asgi import scope_of
from tests.support.eventually import eventually
from tests.support.failing_output import FULL, Output
from tests.support.fast_feed import FastFeedProcess
from tests.support.granian import Server
from tests.support.live import PATH, SECONDS, LiveClient, LocalStream
from tests.support.people import Builders
from tests.support.private_server import PrivateServer, start
from tests.support.tokens import TOKENS

Connect = Callable[..., LiveClient]

MADE_UP = 40
"""Tokens at once, more than streams are opened at once."""


@pytest.fixture(scope="module")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    with start(tmp_path_factory.mktemp("cache"), "maxmemory-policy volatile-lru") as cache:
        yield cache


@pytest.fixture(scope="module")
def private_storage(private_cache: PrivateServer, storage: Storage) -> Iterator[Storage]:
    assert storage
    env = Env()
    settings = StorageSettings.from_env(env)
    with_cache = Storage.open(replace(settings, cache_url=private_cache.url))
    yield with_cache
    with_cache.close()


@pytest.fixture(scope="module")
def private_server(open_server: OpenServer, private_cache: PrivateServer) -> Server:
    return open_server(CACHE_REDIS_URL=private_cache.url)


@pytest.fixture
def private_reader(
    private_server: Server,
    private_storage: Storage,
    builders: Builders,
    graph: Graph,
    connect: Connect,
) -> Reader:
    """A reader at a server with a cache of its own, who opens streams by a token."""
    reader = Reader(builders.new_user(), private_storage, graph, builders, private_server, connect)
    reader.build()
    return reader


@pytest.fixture
def local(
    graph: Graph, storage: Storage, rebuilder: BackgroundRebuilder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FastFeedProcess]:
    """An application in this process, with a connection to the cache of its own."""
    monkeypatch.setattr("storage.Photos", lambda _settings: storage.photos)
    own = Storage.open(StorageSettings.from_env(Env()))
    process = FastFeedProcess(create_app(SETTINGS, graph, own, rebuilder))
    yield process
    process.close()
    own.close()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Output:
    """What live streams log fails."""
    output = Output()
    output.failure = FULL
    for module in (journal, rounds, counting):
        monkeypatch.setattr(module, "log", output.logger())
    return output


def lost_lines() -> float:
    labels = {"what": "access log"}
    return REGISTRY.get_sample_value("photofeed_fail_open_total", labels) or 0.0


def test_nothing_is_lost_while_the_cache_is_away(
    private_reader: Reader, private_cache: PrivateServer, connect: Connect
) -> None:
    reader = private_reader
    author = reader.follow_new()
    client = connect(reader.server.url, token=reader.person.token).wait_for_opening()
    private_cache.pause()
    refused = connect(reader.server.url, token=reader.person.token)
    assert refused.status == 503
    assert refused.problem()["code"] == "cache-unavailable"
    assert int(refused.headers["retry-after"]) >= 1
    client.assert_no_more()
    private_cache.resume()
    newest = reader.push(author)
    assert client.wait("tick").id == f"{newest}-0"
    assert not client.ended_at


def test_a_cache_that_has_lost_everything_ends_no_stream_of_a_session_that_stands(
    private_reader: Reader, private_cache: PrivateServer, connect: Connect
) -> None:
    reader = private_reader
    author = reader.follow_new()
    client = connect(reader.server.url, token=reader.person.token).wait_for_opening()
    private_cache.client.flushall()
    newest = reader.push(author)  # into the list, if it is built already
    assert client.wait("tick").id == f"{newest}-0", "the timeline is built again"
    assert not client.ended_at


def test_comments_go_on_while_the_cache_is_away(
    local: FastFeedProcess, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "COMMENT_SECONDS", 0.1)
    monkeypatch.setattr(rounds, "PERIOD_SECONDS", 0.1)
    stream = open_local(local, reader)
    assert stream.status == 200

    async def fail(*_: object) -> None:
        raise StorageUnavailableError("cache")

    monkeypatch.setattr(Pipeline, "execute", fail)
    before = stream.text.count(":\n\n")
    eventually(lambda: stream.text.count(":\n\n") > before + 2)
    stream.close()


def test_news_go_on_while_nothing_can_be_logged(
    local: FastFeedProcess, reader: Reader, full_disk: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("a bug")

    author = reader.follow_new()
    before = lost_lines()
    stream = open_local(local, reader)
    eventually(lambda: lost_lines() > before, seconds=SECONDS)
    failed = full_disk.failed
    with monkeypatch.context() as broken:
        broken.setattr(rounds.Rounds, "look", fail)
        eventually(lambda: full_disk.failed > failed + 1, seconds=SECONDS)
    newest = reader.push(author)
    eventually(lambda: f"id: {newest}-0" in stream.text, seconds=SECONDS)
    stream.close()


def test_a_count_that_fails_while_nothing_can_be_logged_is_late_and_the_next_one_is_not(
    local: FastFeedProcess, reader: Reader, full_disk: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("a bug")

    author = reader.follow_new()
    stream = open_local(local, reader)
    eventually(lambda: "retry" in stream.text, seconds=SECONDS)
    with monkeypatch.context() as broken:
        broken.setattr(Counting, "_tails", fail)
        reader.push(author)
        eventually(lambda: "event: tick" in stream.text, seconds=SECONDS)
    assert full_disk.failed
    reader.push(author)
    eventually(lambda: '"unread":{"count":2,"capped":false}' in stream.text, seconds=SECONDS)
    stream.close()


def test_an_event_whose_count_is_late_is_sent_without_it(
    local: FastFeedProcess, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(*_: object) -> None:
        await asyncio.sleep(60)

    author = reader.follow_new()
    stream = open_local(local, reader)
    eventually(lambda: "retry" in stream.text)
    monkeypatch.setattr(Counting, "_tails", wait)
    newest = reader.push(author)
    eventually(lambda: "event: tick" in stream.text)
    expected = {"newest_id": str(newest), "unread": UNKNOWN_COUNT}
    assert f"data: {json.dumps(expected, separators=(',', ':'))}" in stream.text
    stream.close()


def test_counts_that_the_cache_does_not_prove_are_counted_in_two_threads(
    local: FastFeedProcess, builders: Builders, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: list[int] = []
    running = 0

    def count(*_: object, **__: object) -> UnreadReport:
        nonlocal running
        running += 1
        at_once.append(running)
        time.sleep(0.1)
        running -= 1
        return UnreadReport(unread=UnreadCount(count=7, capped=False, newest_id=9))

    monkeypatch.setattr(unread, "count", count)
    author = reader.follow_new()
    readers = [replace(reader, person=builders.new_user()) for _ in range(12)]
    for other in readers:
        other.person.follow(author)
        other.build()
    opened = [open_local(local, other) for other in readers]
    eventually(lambda: all("retry" in stream.text for stream in opened))
    for other in readers:
        other.storage.read_positions.drop(other.id)
    newest = int(builders.publish(author)["id"])
    for other in readers:
        other.push_id(newest)
    eventually(lambda: all("event: tick" in stream.text for stream in opened))
    assert max(at_once) <= 2
    assert any('"count":7' in stream.text for stream in opened)
    for stream in opened:
        stream.close()


@pytest.fixture
def patient_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a thread waits for the whole test. Before the application is made."""
    monkeypatch.setattr(application, "WAIT_SECONDS", 10 * SECONDS)


@pytest.mark.usefixtures("patient_threads")
def test_made_up_tokens_hold_up_nobody_who_has_a_ticket_or_a_copy(
    local: FastFeedProcess, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, loads = threading.Event(), 0

    def load(*_: object) -> dict[int, SessionCopy]:
        nonlocal loads
        loads += 1
        released.wait(SECONDS)
        return {}

    ticket = reader.ticket()
    monkeypatch.setattr(application, "load_copies", load)
    made_up = [open_made_up(local, number) for number in range(MADE_UP)]
    eventually(lambda: loads, seconds=SECONDS)
    opened = [open_local(local, reader), open_local(local, reader, f"{PATH}?ticket={ticket}")]
    assert [stream.status for stream in opened] == [200, 200]
    released.set()
    assert {stream.status for stream in made_up} <= {401, 503}
    for stream in [*opened, *made_up]:
        stream.close()


def open_made_up(process: FastFeedProcess, number: int) -> LocalStream:
    """A request with a token that is well-formed, of a session that never was."""
    token = new_token(user_id=number, session_id=number)
    scope = scope_of(
        target=PATH, headers=[(b"authorization", f"Bearer {TOKENS.sign(token)}".encode())]
    )
    return LocalStream(process._application, process._loop, scope)


def open_local(process: FastFeedProcess, reader: Reader, path: str = PATH) -> LocalStream:
    scope = process.scope(reader.person, path)
    return LocalStream(process._application, process._loop, scope)
