from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask

from graph import Graph
from storage import Storage
from tests.support.eventually import eventually
from tests.support.people import Builders, assert_problem


def test_following_brings_the_followees_posts_into_the_feed_at_once(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    post = builders.publish(ben)
    ana.feed()
    ana.follow(ben)
    assert ana.feed() == [int(post["id"])]


def test_following_again_changes_nothing(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    for _ in range(2):
        ana.follow(ben)
    assert ana.get(f"/v1/users/{ben.id}").json["follower_count"] == 1


def test_following_more_users_than_the_limit_is_422_and_keeps_the_timeline(
    builders: Builders, graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(graph.connection.settings, follow_limit=1)
    monkeypatch.setattr(graph.connection, "settings", settings)
    ana, ben, cleo = (builders.new_user() for _ in range(3))
    ana.follow(ben)
    ana.feed()
    eventually(lambda: storage.timelines.entries(ana.id) == [0])
    response = ana.put(f"/v1/me/following/{cleo.id}")
    assert_problem(response, 422, "follow-limit-reached")
    assert response.json["detail"] == "Nobody follows more than 1 users. Unfollow one first."
    assert storage.timelines.entries(ana.id) == [0]
    ana.follow(ben)


def test_nobody_follows_or_blocks_themselves(builders: Builders) -> None:
    ana = builders.new_user()
    follow = ana.put(f"/v1/me/following/{ana.id}")
    assert_problem(follow, 422, "cannot-follow-yourself")
    assert_problem(ana.put(f"/v1/me/blocks/{ana.id}"), 422, "cannot-block-yourself")


def test_following_or_blocking_an_absent_user_is_404(builders: Builders) -> None:
    ana = builders.new_user()
    assert_problem(ana.put("/v1/me/following/1"), 404, "not-found")
    assert_problem(ana.delete("/v1/me/following/1"), 404, "not-found")
    assert_problem(ana.put("/v1/me/blocks/1"), 404, "not-found")


def test_unfollowing_removes_the_followees_posts_from_the_feed(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    builders.publish(ben)
    own = int(builders.publish(ana)["id"])
    assert len(ana.feed()) == 2
    for _ in range(2):
        assert ana.delete(f"/v1/me/following/{ben.id}").status_code == 204
        assert ana.feed() == [own]


def test_unfollowing_a_user_who_is_not_followed_is_204(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    assert ana.delete(f"/v1/me/following/{ben.id}").status_code == 204


def test_removing_a_follower_removes_the_posts_from_their_feed(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    builders.publish(ben)
    assert len(ana.feed()) == 1
    for _ in range(2):
        assert ben.delete(f"/v1/me/followers/{ana.id}").status_code == 204
        assert ana.feed() == []
    assert ben.get("/v1/me/followers").json == {"users": []}


def test_a_user_without_a_relation_cannot_drop_a_strangers_timeline(
    builders: Builders, storage: Storage
) -> None:
    stranger, ana = builders.new_user(), builders.new_user()
    assert ana.put(f"/v1/me/blocks/{stranger.id}").status_code == 204
    stranger.feed()
    eventually(lambda: storage.timelines.entries(stranger.id) == [0])
    assert ana.delete(f"/v1/me/followers/{stranger.id}").status_code == 204
    assert ana.put(f"/v1/me/blocks/{stranger.id}").status_code == 204
    assert storage.timelines.entries(stranger.id) == [0]


def test_removing_a_user_who_does_not_follow_is_204(builders: Builders) -> None:
    assert builders.new_user().delete("/v1/me/followers/1").status_code == 204


def test_blocking_ends_both_follows_and_empties_both_feeds(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    ben.follow(ana)
    own = {person.id: int(builders.publish(person)["id"]) for person in (ana, ben)}
    for person in (ana, ben):
        assert len(person.feed()) == 2
    for _ in range(2):
        ana.block(ben)
    for person in (ana, ben):
        assert person.feed() == [own[person.id]]
        assert person.get("/v1/me/following").json == {"users": []}
        assert person.get("/v1/me/followers").json == {"users": []}


def test_blocks_are_listed_and_end(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.block(ben)
    assert [user["username"] for user in ana.get("/v1/me/blocks").json["users"]] == [ben.username]
    assert ben.get("/v1/me/blocks").json == {"users": []}
    for _ in range(2):
        assert ana.delete(f"/v1/me/blocks/{ben.id}").status_code == 204
    assert ana.get(f"/v1/users/{ben.id}").json["viewer"]["following"] is False
    ana.follow(ben)


# Security 7
def test_a_blocked_user_cannot_detect_the_block_by_blocking(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.block(ben)
    blocked, absent = ben.put(f"/v1/me/blocks/{ana.id}"), ben.put("/v1/me/blocks/1")
    bodies = [assert_problem(response, 404, "not-found") for response in (blocked, absent)]
    assert bodies[0]["detail"] == bodies[1]["detail"]


def test_concurrent_follows_and_a_block_end_without_a_follow(
    builders: Builders, graph: Graph
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    calls = [
        lambda: ana.put(f"/v1/me/following/{ben.id}"),
        lambda: ana.delete(f"/v1/me/following/{ben.id}"),
        lambda: ben.put(f"/v1/me/blocks/{ana.id}"),
        lambda: ben.put(f"/v1/me/following/{ana.id}"),
    ] * 2
    with ThreadPoolExecutor(len(calls)) as threads:
        statuses = [response.status_code for response in threads.map(lambda call: call(), calls)]
    assert set(statuses) <= {204, 404}
    assert ana.id not in graph.follows.followers_page(ben.id, after=0, limit=10)
    assert ben.id not in graph.follows.followers_page(ana.id, after=0, limit=10)


def test_a_follow_succeeds_without_the_cache(builders: Builders, app_without_cache: Flask) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    post = builders.publish(ben)
    ana = ana.on(app_without_cache)
    assert ana.put(f"/v1/me/following/{ben.id}").status_code == 204
    assert ana.feed() == [int(post["id"])]


@pytest.mark.parametrize("leaving", ["unfollow", "remove", "block"])
def test_a_leaving_without_the_cache_is_503_and_succeeds_on_repeat(
    builders: Builders, storage: Storage, app_without_cache: Flask, leaving: str
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana.follow(ben)
    builders.publish(ben)
    ana.feed()
    actor, method, path = {
        "unfollow": (ana, "DELETE", f"/v1/me/following/{ben.id}"),
        "remove": (ben, "DELETE", f"/v1/me/followers/{ana.id}"),
        "block": (ben, "PUT", f"/v1/me/blocks/{ana.id}"),
    }[leaving]
    for _ in range(2):  # a repeat is 503 too
        response = actor.on(app_without_cache).call(method, path)
        assert_problem(response, 503, "cache-unavailable")
    # another process can have begun a timeline with the post
    token = storage.timelines.begin(ana.id)
    storage.timelines.push([ana.id], 1 << 40, read_at=0)
    assert actor.call(method, path).status_code == 204
    assert not storage.timelines.entries(ana.id)
    assert ana.feed() == []
    assert token is None or not storage.timelines.finish(ana.id, token, [1], watermark=0)


def test_follow_and_unfollow_succeed_without_the_queue(
    builders: Builders, app_without_queue: Flask
) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ana = ana.on(app_without_queue)
    assert ana.put(f"/v1/me/following/{ben.id}").status_code == 204
    assert ana.delete(f"/v1/me/following/{ben.id}").status_code == 204
