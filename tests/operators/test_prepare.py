"""`python -m api init` on stores with data of another version."""

from dataclasses import replace
from pathlib import Path

import pytest
import redis

from graph import Graph
from graph.photos import UPGRADE_NAME
from operators.commands.stores import CommandError
from operators.prepare import prepare
from storage import Storage
from storage.redis.generation import KEY, Generation
from storage.redis.server import Server
from tests.support.eventually import eventually
from tests.support.private_server import start
from tests.support.reports import create, walk
from tests.support.town import Town


def test_init_replaces_a_cache_of_another_layout_when_its_processes_have_stopped(
    graph: Graph, storage: Storage, tmp_path: Path
) -> None:
    with start(tmp_path, "timeout 10") as server:
        cache = Server("cache", server.url, check=Generation().check)
        other = replace(storage, cache=cache)
        server.client.set(KEY, f"{server.client.info('server')['run_id']} 77")
        server.client.ping()
        old = redis.Redis.from_url(server.url)
        old.get("tl:1")
        with pytest.raises(CommandError, match=r"Stop them all.*") as refused:
            list(prepare(graph, other))
        assert "127.0.0.1:" in refused.value.message
        old.close()
        eventually(lambda: all(c["cmd"] != "get" for c in server.client.client_list()))
        assert "The cache had the layout of another version and was emptied." in list(
            prepare(graph, other)
        )
        assert not any("layout" in line for line in prepare(graph, other))
        cache.close()


def test_init_gives_photos_of_an_older_version_a_time_limit_once(
    graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operators.prepare.UPGRADE_PAGE", 2)
    town = Town(graph)
    photos = town.photos(town.user(), 5)
    town.query("MATCH (p:Photo) WHERE p.id IN $ids REMOVE p.unposted_until", ids=photos)
    town.query(
        "MERGE (u:Upgrade {name: $name}) SET u.after_id = $after, u.done_at = null",
        name=UPGRADE_NAME,
        after=photos[0] - 1,
    )
    lines = list(prepare(graph, storage))
    assert "5 photos of an older version are not posted and have a time limit now." in lines
    assert [town.photo_times(photo) for photo in photos] == [{"unposted_until": 24.0}] * 5
    assert not [line for line in prepare(graph, storage) if "older version" in line]


def test_init_lists_reports_of_an_older_version(
    graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operators.prepare.REPORTS_PAGE", 2)
    town = Town(graph)
    reporter, *users = town.users(6)
    for user in users:
        create(graph, reporter, user)
    town.query("MATCH (subject:ReportedSubject) DELETE subject")
    lines = list(prepare(graph, storage))
    assert any(line.endswith("open reports of an older version are listed now.") for line in lines)
    assert {one.subject_id for one in walk(graph)} >= set(users)
    assert not [line for line in prepare(graph, storage) if "older version" in line]
