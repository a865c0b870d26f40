"""CopyReader on a real server: bodies, sessions, idle partitions, new connections."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from api.services.tokens import new_token
from feed.copies import TOMBSTONE
from storage import changes
from storage.changes import KEYS, Changes
from storage.errors import StorageUnavailableError
from storage.redis.partitions import COUNT
from storage.redis.server import Server
from storage.sessions import SessionCopy, copy_key
from tests.support.local_copies import CopyingProcess
from tests.support.private_server import PrivateServer

POST, AUTHOR, VIEWER = 7, 8, 5
BODY = b'{"id":"7","author":{"id":"8"}}'


@pytest.fixture
def server(cache: PrivateServer) -> Iterator[Server]:
    server = Server("cache", cache.url)
    yield server
    server.close()


@pytest.fixture
def process(server: Server) -> CopyingProcess:
    return CopyingProcess(server)


def test_a_body_is_read_from_redis_once(process: CopyingProcess, cache: PrivateServer) -> None:
    cache.client.set("p:7", BODY)
    assert process.body(POST, viewer_id=VIEWER) == BODY
    cache.client.set("p:7", "changed without an announcement")
    assert process.body(POST, viewer_id=VIEWER) == BODY


def test_missing_and_reserved_bodies_are_read_as_none_and_not_kept(
    process: CopyingProcess, cache: PrivateServer
) -> None:
    cache.client.set("p:8", "~reserved")
    cache.client.set("p:9", b"")
    process.body(POST, viewer_id=VIEWER)
    bodies = asyncio.run(process.reader.bodies([7, 8, 9, 7]))
    assert bodies == {7: None, 8: None, 9: TOMBSTONE}
    assert [process.has_body(post_id) for post_id in (7, 8, 9)] == [False, False, True]


def test_a_change_of_another_partition_is_seen_too(
    process: CopyingProcess, cache: PrivateServer, server: Server
) -> None:
    cache.client.set("p:7", BODY)
    process.body(POST, viewer_id=VIEWER)
    for viewer in range(COUNT):
        Changes(server).announce([changes.post(POST)])
        cache.client.set("p:7", BODY + b" " * viewer)
        assert process.body(POST, viewer_id=viewer) == BODY + b" " * viewer


def test_a_single_change_needs_no_script(
    process: CopyingProcess, cache: PrivateServer, server: Server
) -> None:
    process.body(POST, viewer_id=VIEWER)
    Changes(server).announce([changes.post(POST)])
    before = cache.calls_of("evalsha")
    process.body(POST, viewer_id=VIEWER)
    assert cache.calls_of("evalsha") == before
    for _ in range(2):
        Changes(server).announce([changes.post(POST)])
    before = cache.calls_of("evalsha")
    process.body(POST, viewer_id=VIEWER)
    assert cache.calls_of("evalsha") == before + 1


def test_a_lost_counter_drops_everything_once(
    process: CopyingProcess, cache: PrivateServer
) -> None:
    cache.client.set("p:7", BODY)
    process.body(POST, viewer_id=VIEWER)
    cache.client.flushall()
    assert process.body(POST, viewer_id=VIEWER) is None
    cache.client.set("p:7", BODY)
    for viewer in range(COUNT):
        assert process.body(POST, viewer_id=viewer) == BODY
    cache.client.delete("p:7")
    assert process.body(POST, viewer_id=VIEWER) == BODY, "nothing has been dropped since"


def test_idle_partitions_are_asked_in_one_buffer(
    process: CopyingProcess, cache: PrivateServer, server: Server
) -> None:
    cache.client.set("p:7", BODY)
    process.body(POST, viewer_id=VIEWER)
    asyncio.run(process.reader.ask_idle())  # forgets that VIEWER has read
    Changes(server).announce([changes.post(POST)])
    before = cache.calls_of("get")
    asyncio.run(process.reader.ask_idle())
    assert cache.calls_of("get") == before + COUNT
    assert not process.has_body(POST)
    before = cache.calls_of("get")
    process.body(POST, viewer_id=VIEWER)
    reads = cache.calls_of("get") - before
    asyncio.run(process.reader.ask_idle())
    assert cache.calls_of("get") == before + reads + COUNT - 1, "VIEWER's partition was read"


def test_idle_partitions_that_are_several_changes_behind_catch_up(
    process: CopyingProcess, cache: PrivateServer, server: Server
) -> None:
    cache.client.set("p:7", BODY)
    process.body(POST, viewer_id=VIEWER)
    asyncio.run(process.reader.ask_idle())
    Changes(server).announce([changes.post(POST)])
    Changes(server).announce([changes.post(99)])
    asyncio.run(process.reader.ask_idle())
    assert not process.has_body(POST)
    before = cache.calls_of("evalsha")
    for viewer in range(COUNT):
        process.body(POST, viewer_id=viewer)
    assert cache.calls_of("evalsha") == before


def test_a_new_connection_drops_everything(process: CopyingProcess, cache: PrivateServer) -> None:
    cache.client.set("p:7", BODY)
    process.body(POST, viewer_id=VIEWER)
    process.reader.forget()
    assert not process.has_body(POST)
    latest = cache.client.get(KEYS[VIEWER][0])
    assert isinstance(latest, bytes)
    assert not process.reader.is_current(VIEWER, latest)


def test_a_reply_of_the_connection_before_is_not_applied(
    process: CopyingProcess, cache: PrivateServer
) -> None:
    process.body(POST, viewer_id=VIEWER)
    catching_up = process.reader.catch_up(VIEWER).__await__()
    forget = process.reader.forget
    execute = process.reader._cache.execute

    class Replaced:
        async def execute(self, *arguments: object) -> list[object]:
            replies = await execute(*arguments)  # type: ignore[arg-type]
            if not forgotten:
                forgotten.append(True)
                forget()
                cache.client.flushall()  # the server after it has other numbers
            return replies

    forgotten: list[bool] = []
    process.reader._cache = Replaced()
    assert list(catching_up) == []
    assert process.reader._applied[VIEWER] == cache.client.get(KEYS[VIEWER][0])


def test_a_session_is_read_from_redis_once_a_minute(
    process: CopyingProcess, cache: PrivateServer
) -> None:
    token = new_token(user_id=VIEWER, session_id=3)
    copy = SessionCopy(user_id=VIEWER, secret_sha256="00", expires_at=int(time.time()) + 600)
    cache.client.set(copy_key(VIEWER, 3), copy.to_bytes())
    assert process.session(token, viewer_id=VIEWER) == copy
    cache.client.delete(copy_key(VIEWER, 3))
    assert process.session(token, viewer_id=VIEWER) == copy
    assert process.copies.session(3, time.time() + 61) is None


@pytest.mark.parametrize("value", [None, b"~reserved", b"not a copy"])
def test_a_missing_or_reserved_session_is_none(
    process: CopyingProcess, value: bytes | None
) -> None:
    began = process.copies.begin()
    assert process.reader.keep_session(3, value, began, time.time()) is None
    assert not process.has_session(3)


def test_a_server_that_is_down_raises(process: CopyingProcess, cache: PrivateServer) -> None:
    process.body(POST, viewer_id=VIEWER)
    cache.kill()
    with pytest.raises(StorageUnavailableError):
        asyncio.run(process.reader.bodies([POST]))
    assert not process.copies._drop_times._in_flight
    with pytest.raises(StorageUnavailableError):
        asyncio.run(process.reader.ask_idle())
