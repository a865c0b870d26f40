"""Bodies from the cache, from the graph, and from other readers at the same time."""

import json
import time

import pytest

from api.services.posts import delete as delete_post
from feed import bodies
from feed.bodies import bodies_of, discard_bodies_of
from graph.ids import new_id
from tests.support.stage import Stage


def test_bodies_are_cached_and_a_missing_post_is_cached_as_deleted(stage: Stage) -> None:
    author = stage.town.user()
    post, _event = stage.town.post(author)
    absent = new_id()
    found = bodies_of(stage.graph, stage.storage, [post, absent, post])
    assert list(found) == [post, absent]
    assert found[absent] == b""
    assert stage.storage.bodies.read_many([post, absent]) == found


def test_bodies_that_the_caller_has_read_are_not_read_again(stage: Stage) -> None:
    cached = {1: b"one", 2: b""}
    assert bodies_of(stage.graph, stage.storage, [2, 1], cached) == cached


def test_without_the_cache_the_graph_answers_alone(stage: Stage) -> None:
    post, _event = stage.town.post(stage.town.user())
    cut_off = stage.behind_proxies()
    with cut_off.to.cache.outage():
        found = bodies_of(cut_off.graph, cut_off.storage, [post], {post: None})
    assert json.loads(found[post])["id"] == str(post)


def test_a_slow_cache_costs_three_round_trips_and_not_one_for_each_post(stage: Stage) -> None:
    author = stage.town.user()
    posts = [stage.town.post(author)[0] for _ in range(40)]
    cut_off = stage.behind_proxies()
    cut_off.storage.ping_cache()
    with cut_off.storage.cache.connection():
        pass  # opens the connection
    cut_off.to.cache.slow(0.1)
    began = time.monotonic()
    found = bodies_of(cut_off.graph, cut_off.storage, posts)
    assert time.monotonic() - began < 4  # two round trips a post would be eight or more
    assert stage.storage.bodies.read_many(posts) == found


def test_a_body_reserved_by_another_reader_is_returned_and_not_written(stage: Stage) -> None:
    post, _event = stage.town.post(stage.town.user())
    token = stage.storage.bodies.reserve_many([post]).get(post)
    assert token
    assert bodies_of(stage.graph, stage.storage, [post])[post]
    assert stage.storage.bodies.read_many([post]) == {post: None}
    assert stage.storage.bodies.fill_many({post: b"theirs"}, {post: token})


def test_a_body_that_many_readers_want_is_read_from_the_graph_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, _event = stage.town.post(stage.town.user())
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("posts/many", side="answer")
    first = stage.begin(bodies_of, proxied.graph, proxied.storage, [post])
    hold.wait()
    graph_reads: list[list[int]] = []
    monkeypatch.setattr(bodies, "POLL_SECONDS", (0.01,) * 500)
    monkeypatch.setattr(stage.graph.posts, "many", graph_reads.append)
    others = [stage.begin(bodies_of, stage.graph, stage.storage, [post]) for _ in range(6)]
    hold.release()
    found = [reader.result(10) for reader in (first, *others)]
    assert graph_reads == []
    assert all(each == found[0] and each[post] for each in found)


def test_a_reader_that_waits_gets_no_body_read_before_a_deletion(stage: Stage) -> None:
    author = stage.town.user()
    post, _event = stage.town.post(author)
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("posts/many", side="answer")
    first = stage.begin(bodies_of, proxied.graph, proxied.storage, [post])
    hold.wait()
    delete_post(stage.graph, stage.storage, post, author_id=author)
    second = stage.begin(bodies_of, stage.graph, stage.storage, [post])
    assert second.result(10) == {post: b""}
    hold.release()
    assert first.result(10)[post], "that reader began before the deletion"
    assert bodies_of(stage.graph, stage.storage, [post]) == {post: b""}


def test_the_newest_bodies_of_an_author_are_discarded_up_to_a_limit(stage: Stage) -> None:
    author = stage.town.user()
    posts = stage.town.old_posts(author, sorted(new_id() for _ in range(5)))
    bodies_of(stage.graph, stage.storage, posts)
    discard_bodies_of(stage.graph, stage.storage, author, limit=3)
    cached = stage.storage.bodies.read_many(posts)
    assert [cached[post] is None for post in posts] == [False, False, True, True, True]
