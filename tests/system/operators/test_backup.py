"""The restore drill: a graph copied, lost from there on, and brought back. Timed. Cases 32, 36."""

import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from graph import Graph, GraphSettings, schema
from stack import LocalStack, StackError, StackSettings
from stack.commands.backups import backup, restore
from tests.conftest import QUICK_JAVA
from tests.support.folders import free_folder
from tests.support.town import Town


@dataclass
class Private:
    """A Neo4j and a cache of this test's own, supervised as `make up` does."""

    stack: LocalStack
    said: list[str]
    env: dict[str, str]

    def graph(self) -> Graph:
        settings = GraphSettings(
            uri=self.env["NEO4J_URI"],
            user=self.env["NEO4J_USER"],
            password=self.env["NEO4J_PASSWORD"],
            database=self.env["NEO4J_DATABASE"],
        )
        return Graph.open(settings)

    def posts(self) -> set[int]:
        with self.graph() as graph:
            rows = Town(graph).query("MATCH (post:Post) RETURN post.id AS id")
        return {row["id"] for row in rows}

    def post(self) -> int:
        with self.graph() as graph:
            town = Town(graph)
            return town.post(town.user())[0]


@pytest.fixture
def private() -> Iterator[Private]:
    settings = StackSettings(
        folder=free_folder("backup"),
        neo4j_heap="256m",
        neo4j_pagecache="64m",
        neo4j_java_options=QUICK_JAVA,
    )
    said: list[str] = []
    with LocalStack(settings, stores=("neo4j", "cache"), report=said.append) as stack:
        watcher = threading.Thread(target=stack.supervisor.watch)
        watcher.start()
        try:
            private = Private(stack, said, stack.env)
            with private.graph() as graph:
                schema.apply(graph.connection)
            yield private
        finally:
            stack.stopping.set()
            watcher.join()


@pytest.mark.timeout(400)
def test_what_stood_in_the_dump_comes_back_and_nothing_later_is_shown(
    private: Private, tmp_path: Path
) -> None:
    settings, env, said = private.stack.settings, private.env, private.said
    before = private.post()
    dump, began = tmp_path / "graph.dump", time.monotonic()
    assert backup(settings, dump, env, said.append) == dump
    copied = time.monotonic()
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [dump]
    with pytest.raises(StackError, match="is there already"):
        backup(settings, dump, env, said.append)

    after = private.post()
    assert private.posts() == {before, after}
    with redis.Redis.from_url(env["CACHE_REDIS_URL"], protocol=2) as cache:
        cache.set("p:of-a-post-that-will-be-forgotten", "{}")
        again = time.monotonic()
        restore(settings, dump, env, said.append)
        restored = time.monotonic()
        assert cache.dbsize() == 0
    assert private.posts() == {before}
    print(f"copied in {copied - began:.0f} s, restored in {restored - again:.0f} s: {said}")
    assert not any("ended" in line for line in said), "what is asked for is no death"
    private.post()

    private.stack.stop()
    holds_with_neo4j_down(settings, dump, tmp_path)


def holds_with_neo4j_down(settings: StackSettings, dump: Path, folder: Path) -> None:
    """A dump that is damaged leaves the graph that is there as it was."""
    for text, said in ((b"no dump at all", "is not a dump"), (dump.read_bytes()[:2000], "failed")):
        damaged = folder / "damaged.dump"
        damaged.write_bytes(text)
        with pytest.raises(StackError, match=said):
            restore(settings, damaged, None, print)
    assert (settings.folder / "neo4j" / "data" / "databases" / "neo4j").is_dir()
    assert not (settings.folder / "neo4j" / "before-restore").exists()
    whole = backup(settings, folder, None, print)
    assert whole.name.startswith("photofeed-")
    assert whole.stat().st_size > 2000


def test_somebody_elses_neo4j_is_told_how_and_not_touched(tmp_path: Path) -> None:
    settings = StackSettings(folder=tmp_path, neo4j_uri="bolt://elsewhere:7687")
    for command in (backup, restore):
        with pytest.raises(StackError, match="only its own machine can copy it") as said:
            command(settings, tmp_path / "x.dump", None, print)
        assert "FLUSHDB" in str(said.value)


def test_where_there_is_no_graph_yet_nothing_is_copied(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="There is no graph in"):
        backup(StackSettings(folder=tmp_path), tmp_path / "x.dump", None, print)
