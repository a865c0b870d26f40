"""A cache that comes back with old data serves none of it (case 30)."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.services import sessions
from api.services.errors import NotSignedInError
from api.services.follows import unfollow
from api.services.posts import delete as delete_post
from api.services.tokens import Token
from drill.support.proxy import Proxy
from storage.errors import StorageUnavailableError
from storage.redis.generation import KEY, Generation
from storage.redis.server import Server
from storage.timeline_layout import timeline_key
from tests.support.eventually import eventually
from tests.support.private_server import PrivateServer, start
from tests.support.stage import Stage

OpenStage = Callable[[str], Stage]


@dataclass(frozen=True, slots=True)
class Scene:
    """A reader of two authors, with a list, bodies and a session's copy in the cache."""

    stage: Stage
    reader: int
    left: int
    kept: int
    token: Token
    deleted: int

    def change(self) -> None:
        """What the caches of before know nothing of: a 2xx was given to each."""
        stage = self.stage
        stage.do(stage.town.post(self.kept)[1])
        unfollow(stage.graph, stage.storage, follower_id=self.reader, followee_id=self.left)
        delete_post(stage.graph, stage.storage, self.deleted, author_id=self.kept)
        sessions.end(stage.graph, stage.storage, self.token.session_id, user_id=self.reader)

    def right(self) -> None:
        """The feed as it must be now, and nobody signed in by a session that was ended."""
        self.stage.check_feed(self.reader)
        assert self.deleted not in self.stage.read(self.reader)
        with pytest.raises(NotSignedInError):
            sessions.authenticate(self.stage.graph, self.stage.storage, str(self.token))


def scene(stage: Stage) -> Scene:
    reader = stage.town.user()
    left, kept = stage.town.users(2)
    stage.town.add_followees(reader, left, kept)
    stage.build(reader)
    posts = []
    for author in (left, kept, left, kept):
        post, event = stage.town.post(author)
        stage.do(event)
        posts.append(post)
    stage.check_feed(reader)
    token = sessions.create(stage.graph, reader, days=1).token
    sessions.authenticate(stage.graph, stage.storage, str(token))
    return Scene(stage, reader, left, kept, token, deleted=posts[1])


def holds_old_data(server: PrivateServer, of: Scene) -> bool:
    """Whether a reader that looked would find the list, the post and the session of before."""
    keys = (timeline_key(of.reader), f"p:{of.deleted}", f"s:{of.token.session_id:014x}")
    return all(server.client.exists(key) for key in keys)


def emptied(server: PrivateServer) -> int:
    """How many times the server was emptied since its start."""
    stats = server.client.info("commandstats")
    return int(stats.get("cmdstat_flushdb", {"calls": 0})["calls"])


@contextmanager
def instead_of(dead: PrivateServer, folder: Path) -> Iterator[PrivateServer]:
    """Another run of the same server, at the same address, on what is in its folder."""
    with start(folder, port=dead.port, password=dead.password) as server:
        yield server


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[PrivateServer, PrivateServer]]:
    """Two servers with one password, for one address."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with start(one) as first, start(other, password=first.password) as second:
        yield first, second


@contextmanager
def one_address(to: PrivateServer) -> Iterator[tuple[Proxy, str]]:
    """An address that can be turned from one server to another, and its URL."""
    with Proxy("127.0.0.1", to.port) as proxy:
        yield proxy, f"redis://:{to.password}@127.0.0.1:{proxy.port}/0"


def turn(proxy: Proxy, to: PrivateServer) -> None:
    proxy._upstream = ("127.0.0.1", to.port)
    proxy.cut()


# Case 30
def test_a_cache_restarted_from_an_old_snapshot_shows_nothing_of_before(
    cache: PrivateServer, open_stage: OpenStage, tmp_path: Path
) -> None:
    before = scene(open_stage(cache.url))
    cache.client.save()
    before.change()
    before.right()
    cache.kill()
    with instead_of(cache, tmp_path) as again:
        assert holds_old_data(again, before), "the snapshot was loaded"
        before.right()
        assert emptied(again) == 1
        before.stage.do_all(before.reader)  # the leaving is over
        before.stage.build(before.reader)
        before.right()
        assert before.stage.entries(before.reader), "it is a cache again"


# Case 30
def test_a_cache_restarted_from_its_append_only_file_shows_nothing_of_before(
    open_stage: OpenStage, tmp_path: Path
) -> None:
    """Set so against our word: what the file lost at its end are the drops."""
    with start(tmp_path, "appendonly yes") as cache:
        before = scene(open_stage(cache.url))
        cache.client.config_set("appendonly", "no")
        before.change()
        cache.kill()
        again = start(tmp_path, "appendonly yes", port=cache.port, password=cache.password)
        with again as server:
            assert holds_old_data(server, before)
            before.right()


# Case 30
def test_a_replica_that_takes_over_without_the_last_second_shows_nothing_of_before(
    two: tuple[PrivateServer, PrivateServer], open_stage: OpenStage
) -> None:
    master, replica = two
    with one_address(master) as (proxy, url), Proxy("127.0.0.1", master.port) as link:
        before = scene(open_stage(url))
        replica.client.config_set("masterauth", master.password)
        replica.command("REPLICAOF", "127.0.0.1", link.port)
        eventually(lambda: holds_old_data(replica, before))
        link.down()  # it hears nothing of what follows
        before.change()
        master.kill()

        turn(proxy, replica)  # not promoted yet
        before.right()
        with pytest.raises(StorageUnavailableError):
            before.stage.entries(before.reader)
        assert holds_old_data(replica, before)

        replica.command("REPLICAOF", "NO", "ONE")
        before.right()
        assert emptied(replica) == 1


# Case 30
def test_a_cache_that_others_had_taken_the_place_of_comes_back_empty(
    two: tuple[PrivateServer, PrivateServer], open_stage: OpenStage
) -> None:
    """It ran on meanwhile, cut off: its run_id is the same, its data are of before."""
    first, second = two
    with one_address(first) as (proxy, url):
        before = scene(open_stage(url))
        old = int(before.stage.storage.cache.client.get(KEY).split()[1])  # type: ignore[union-attr]
        made_long_ago = f"{first.client.info('server')['run_id']} {old - 3_600_000}"
        first.client.set(KEY, made_long_ago)
        turn(proxy, second)
        before.change()
        before.right()
        turn(proxy, first)
        assert holds_old_data(first, before)
        before.right()
        assert emptied(first) == 2, "at its first connection ever, and now"


# Case 30
def test_two_caches_taking_turns_behind_one_address_are_not_emptied_at_every_turn(
    two: tuple[PrivateServer, PrivateServer], open_stage: OpenStage
) -> None:
    with one_address(two[0]) as (proxy, url):
        before = scene(open_stage(url))
        before.change()
        for _ in range(3):
            for server in reversed(two):
                turn(proxy, server)
                before.right()  # whatever is refused, the graph answers
        assert max(map(emptied, two)) == 1


# Case 30
def test_however_many_connect_at_once_an_old_cache_is_emptied_once(
    cache: PrivateServer, tmp_path: Path
) -> None:
    cache.client.set("tl:old", "old")
    cache.client.save()
    cache.kill()
    with instead_of(cache, tmp_path) as again, ThreadPoolExecutor(8) as threads:
        servers = [Server("cache", again.url, check=Generation().check) for _ in range(8)]

        def look(server: Server) -> int:
            with server.guard():
                return int(server.client.exists("tl:old"))

        assert list(threads.map(look, servers * 3)) == [0] * 24
        assert emptied(again) == 1
        for server in servers:
            server.close()


# Case 30: the price is paid by a connection, not by what is asked over it
def test_only_a_new_connection_is_checked(cache: PrivateServer) -> None:
    server = Server("cache", cache.url, check=Generation().check)
    for _ in range(50):
        with server.guard():
            server.client.get("x")
        with server.connection() as connection:
            connection.send(b"*1\r\n$4\r\nPING\r\n", 1)
            connection.read(1)
    server.ping()
    checks = cache.client.info("commandstats")["cmdstat_eval"]["calls"]
    assert checks == 2, "one of each pool"
    server.close()


# Case 30
@pytest.mark.parametrize("command", ["info", "flushdb"])
def test_a_cache_that_cannot_be_checked_is_said_before_the_start_and_never_read(
    cache: PrivateServer, stack_env: dict[str, str], command: str
) -> None:
    cache.client.acl_setuser(
        "app", enabled=True, passwords=["+x"], keys=["*"], commands=["+@all", f"-{command}"]
    )
    url = f"redis://app:x@127.0.0.1:{cache.port}/0"
    server = Server("cache", url, check=Generation().check)
    with pytest.raises(StorageUnavailableError), server.guard():
        server.client.get("x")
    server.close()

    ran = subprocess.run(
        [sys.executable, "-m", "api", "init"],
        env={**os.environ, **stack_env, "CACHE_REDIS_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "INFO, DBSIZE and FLUSHDB" in ran.stderr
    assert "Traceback" not in ran.stderr


# Case 30: what must be emptied must be the cache
def test_a_server_with_job_queues_is_neither_emptied_nor_read_as_a_cache(
    cache: PrivateServer,
) -> None:
    cache.client.sadd("rq:queues", "rq:queue:fanout")
    server = Server("cache", cache.url, check=Generation().check)
    with pytest.raises(StorageUnavailableError, match="job queues"), server.guard():
        server.client.get("x")
    server.close()
    assert cache.client.exists("rq:queues")
    assert not emptied(cache)
