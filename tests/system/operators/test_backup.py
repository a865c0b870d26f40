"""A graph is backed up, changed and restored (case 36). The test prints the durations."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from graph import Graph, schema
from stack import StackError, StackSettings
from stack.commands.backups import backup, restore
from tests.support.environment import graph_settings
from tests.support.folders import free_folder
from tests.support.supervised_stack import QUICK_JAVA, SupervisedStack
from tests.support.town import Town


@pytest.fixture
def stores() -> Iterator[SupervisedStack]:
    """A Neo4j and a cache of this test alone."""
    settings = StackSettings(
        folder=free_folder("backup"),
        neo4j_heap="256m",
        neo4j_pagecache="64m",
        neo4j_java_options=QUICK_JAVA,
    )
    with SupervisedStack(settings, stores=("neo4j", "cache")) as stores:
        with Graph.open(graph_settings(stores.env)) as graph:
            schema.apply(graph.connection)
        yield stores


def post_ids(stores: SupervisedStack) -> set[int]:
    with Graph.open(graph_settings(stores.env)) as graph:
        rows = Town(graph).query("MATCH (post:Post) RETURN post.id AS id")
    return {row["id"] for row in rows}


def create_post(stores: SupervisedStack) -> int:
    with Graph.open(graph_settings(stores.env)) as graph:
        town = Town(graph)
        return town.post(town.user())[0]


# Case 36
@pytest.mark.timeout(400)
def test_a_restore_brings_back_the_graph_of_the_backup_and_empties_the_cache(
    stores: SupervisedStack, tmp_path: Path
) -> None:
    settings, env, reports = stores.settings, stores.env, stores.reports
    before = create_post(stores)
    dump, began = tmp_path / "graph.dump", time.monotonic()
    assert backup(settings, dump, env, reports.append) == dump
    backup_seconds = time.monotonic() - began
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [dump]
    with pytest.raises(StackError, match="is there already"):
        backup(settings, dump, env, reports.append)

    after = create_post(stores)
    assert post_ids(stores) == {before, after}
    with redis.Redis.from_url(env["CACHE_REDIS_URL"], protocol=2) as cache:
        cache.set("p:of-a-post-that-the-dump-lacks", "{}")
        began = time.monotonic()
        restore(settings, dump, env, reports.append)
        restore_seconds = time.monotonic() - began
        assert cache.dbsize() == 0
    assert post_ids(stores) == {before}
    print(f"backup: {backup_seconds:.0f} s, restore: {restore_seconds:.0f} s; {reports}")
    assert not any("ended" in line for line in reports), "a planned stop is reported as a crash"
    create_post(stores)

    stores.stop()
    assert_a_damaged_dump_changes_nothing(settings, dump, tmp_path)
    whole = backup(settings, tmp_path, None, print)
    assert whole.name.startswith("photofeed-")
    assert whole.stat().st_size > 2000


def assert_a_damaged_dump_changes_nothing(
    settings: StackSettings, dump: Path, folder: Path
) -> None:
    damaged = folder / "damaged.dump"
    truncated = dump.read_bytes()[:2000]
    for data, message in ((b"no dump at all", "is not a dump"), (truncated, "failed")):
        damaged.write_bytes(data)
        with pytest.raises(StackError, match=message):
            restore(settings, damaged, None, print)
    assert (settings.folder / "neo4j" / "data" / "databases" / "neo4j").is_dir()
    assert not (settings.folder / "neo4j" / "before-restore").exists()


def test_an_external_neo4j_is_refused_with_instructions(tmp_path: Path) -> None:
    settings = StackSettings(folder=tmp_path, neo4j_uri="bolt://elsewhere:7687")
    for command in (backup, restore):
        with pytest.raises(StackError, match="only its own machine can copy it") as refused:
            command(settings, tmp_path / "x.dump", None, print)
        assert "FLUSHDB" in str(refused.value)


def test_a_folder_without_a_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="There is no graph in"):
        backup(StackSettings(folder=tmp_path), tmp_path / "x.dump", None, print)
