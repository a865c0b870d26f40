"""A cache that comes back with old data (case 30)."""

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
from drill.support.proxy import Proxy, proxied
from storage.errors import StorageUnavailableError
from storage.redis.generation import KEY, LAYOUT, Generation
from storage.redis.server import Server
from storage.sessions import copy_key
from storage.timeline_layout import timeline_key
from tests.support.eventually import eventually
from tests.support.people import A_DAY
from tests.support.private_server import PrivateServer, start
from tests.support.stage import Stage

OpenStage = Callable[[str], Stage]


@dataclass(frozen=True, slots=True)
class Scene:
    """A reader of two authors, whose list, bodies and session are in the cache."""

    stage: Stage
    reader: int
    unfollowed: int
    followee: int
    token: Token
    deleted: int

    def change(self) -> None:
        """Changes of which a cache with older data knows nothing. Each of them succeeds."""
        stage = self.stage
        stage.do(stage.town.post(self.followee)[1])
        unfollow(stage.graph, stage.storage, follower_id=self.reader, followee_id=self.unfollowed)
        delete_post(stage.graph, stage.storage, self.deleted, author_id=self.followee)
        sessions.end(stage.graph, stage.storage, self.token.session_id, user_id=self.reader)

    def check(self) -> None:
        """Asserts that the feed is right, and that the ended session authenticates nobody."""
        self.stage.check_feed(self.reader)
        assert self.deleted not in self.stage.read(self.reader)
        with pytest.raises(NotSignedInError):
            sessions.authenticate(self.stage.graph, self.stage.storage, self.token)

    def is_in(self, server: PrivateServer) -> bool:
        """Whether the server holds the list, the deleted post and the session."""
        keys = (
            timeline_key(self.reader),
            f"p:{self.deleted}",
            copy_key(self.reader, self.token.session_id),
        )
        return all(server.client.exists(key) for key in keys)


def create_scene(stage: Stage) -> Scene:
    reader, unfollowed, followee = stage.town.users(3)
    stage.town.add_followees(reader, unfollowed, followee)
    stage.build(reader)
    posts = []
    for author in (unfollowed, followee, unfollowed, followee):
        post, event = stage.town.post(author)
        stage.do(event)
        posts.append(post)
    stage.check_feed(reader)
    token = sessions.create(stage.graph, stage.storage, reader, lifetime=A_DAY).token
    sessions.authenticate(stage.graph, stage.storage, token)
    return Scene(stage, reader, unfollowed, followee, token, deleted=posts[1])


def times_emptied(server: PrivateServer) -> int:
    """How often the server was emptied since its start."""
    return server.calls_of("flushdb")


@contextmanager
def restarted(killed: PrivateServer, folder: Path) -> Iterator[PrivateServer]:
    """The same server started again, at the same address, with the data in its folder."""
    with start(folder, port=killed.port, password=killed.password) as server:
        yield server


@pytest.fixture
def two_servers(tmp_path: Path) -> Iterator[tuple[PrivateServer, PrivateServer]]:
    """Two servers with the same password, so that they can have one address."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with start(one) as first, start(other, password=first.password) as second:
        yield first, second


@contextmanager
def address_of(server: PrivateServer) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server, which can lead to another one, and its URL."""
    proxy, url = proxied(server.url)
    with proxy:
        yield proxy, url


def lead_to(proxy: Proxy, server: PrivateServer) -> None:
    proxy._upstream = ("127.0.0.1", server.port)
    proxy.cut()


# Case 30
def test_a_cache_restarted_from_an_old_snapshot_serves_no_old_data(
    cache: PrivateServer, open_stage: OpenStage, tmp_path: Path
) -> None:
    scene = create_scene(open_stage(cache.url))
    cache.client.save()
    scene.change()
    scene.check()
    cache.kill()
    with restarted(cache, tmp_path) as server:
        assert scene.is_in(server), "the snapshot was loaded"
        scene.check()
        assert times_emptied(server) == 1
        scene.stage.do_all(scene.reader)
        scene.stage.build(scene.reader)
        scene.check()
        assert scene.stage.entries(scene.reader), "the cache is used again"


# Case 30
def test_a_cache_restarted_from_an_append_only_file_serves_no_old_data(
    open_stage: OpenStage, tmp_path: Path
) -> None:
    """docs/operating forbids an append-only file. The end that it lacks has the drops."""
    with start(tmp_path, "appendonly yes") as cache:
        scene = create_scene(open_stage(cache.url))
        cache.client.config_set("appendonly", "no")
        scene.change()
        cache.kill()
        again = start(tmp_path, "appendonly yes", port=cache.port, password=cache.password)
        with again as server:
            assert scene.is_in(server)
            scene.check()


# Case 30
def test_a_replica_without_the_last_changes_serves_no_old_data_when_promoted(
    two_servers: tuple[PrivateServer, PrivateServer], open_stage: OpenStage
) -> None:
    master, replica = two_servers
    with address_of(master) as (proxy, url), Proxy("127.0.0.1", master.port) as replication:
        scene = create_scene(open_stage(url))
        replica.client.config_set("masterauth", master.password)
        replica.command("REPLICAOF", "127.0.0.1", replication.port)
        eventually(lambda: scene.is_in(replica))
        replication.down()
        scene.change()
        master.kill()

        lead_to(proxy, replica)
        scene.check()
        with pytest.raises(StorageUnavailableError):
            scene.stage.entries(scene.reader)
        assert scene.is_in(replica), "a replica cannot be emptied"

        replica.command("REPLICAOF", "NO", "ONE")
        scene.check()
        assert times_emptied(replica) == 1


# Case 30
def test_a_cache_that_another_had_replaced_is_emptied_when_it_comes_back(
    two_servers: tuple[PrivateServer, PrivateServer], open_stage: OpenStage
) -> None:
    """The first server has the same run_id all the time, but its data is old."""
    first, second = two_servers
    with address_of(first) as (proxy, url):
        scene = create_scene(open_stage(url))
        generation = int(scene.stage.storage.cache.client.get(KEY).split()[1])  # type: ignore[union-attr]
        an_hour_older = generation - 3_600_000
        run_id = first.client.info("server")["run_id"]
        first.client.set(KEY, f"{run_id} {an_hour_older} {LAYOUT}")
        lead_to(proxy, second)
        scene.change()
        scene.check()
        lead_to(proxy, first)
        assert scene.is_in(first)
        scene.check()
        assert times_emptied(first) == 2, "at the first connection ever, and now"


# Case 30
def test_two_caches_that_alternate_at_one_address_are_not_emptied_each_time(
    two_servers: tuple[PrivateServer, PrivateServer], open_stage: OpenStage
) -> None:
    with address_of(two_servers[0]) as (proxy, url):
        scene = create_scene(open_stage(url))
        scene.change()
        for _ in range(3):
            for server in reversed(two_servers):
                lead_to(proxy, server)
                scene.check()
        assert max(map(times_emptied, two_servers)) == 1


# Case 30
def test_an_old_cache_is_emptied_once_by_many_concurrent_connections(
    cache: PrivateServer, tmp_path: Path
) -> None:
    cache.client.set("tl:old", "old")
    cache.client.save()
    cache.kill()
    with restarted(cache, tmp_path) as again, ThreadPoolExecutor(8) as threads:
        servers = [Server("cache", again.url, check=Generation().check) for _ in range(8)]

        def look(server: Server) -> int:
            with server.guard():
                return int(server.client.exists("tl:old"))

        assert list(threads.map(look, servers * 3)) == [0] * 24
        assert times_emptied(again) == 1
        for server in servers:
            server.close()


# Case 30: the check costs a round trip of each connection, not of each command
def test_only_a_new_connection_is_checked(cache: PrivateServer) -> None:
    server = Server("cache", cache.url, check=Generation().check)
    for _ in range(50):
        with server.guard():
            server.client.get("x")
        with server.connection() as connection:
            connection.send(b"*1\r\n$4\r\nPING\r\n", 1)
            connection.read(1)
    server.ping()
    assert cache.calls_of("eval") == 2, "one connection of each pool"
    server.close()


# Case 30
@pytest.mark.parametrize("command", ["info", "flushdb"])
def test_a_cache_that_cannot_be_checked_is_never_read_and_init_reports_it(
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

    init = subprocess.run(
        [sys.executable, "-m", "api", "init"],
        env={**os.environ, **stack_env, "CACHE_REDIS_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert init.returncode == 1
    assert "INFO, DBSIZE and FLUSHDB" in init.stderr
    assert "Traceback" not in init.stderr


# Case 30: only a cache may be emptied
def test_a_server_with_job_queues_is_neither_emptied_nor_read_as_a_cache(
    cache: PrivateServer,
) -> None:
    cache.client.sadd("rq:queues", "rq:queue:fanout")
    server = Server("cache", cache.url, check=Generation().check)
    with pytest.raises(StorageUnavailableError, match="job queues"), server.guard():
        server.client.get("x")
    server.close()
    assert cache.client.exists("rq:queues")
    assert times_emptied(cache) == 0
