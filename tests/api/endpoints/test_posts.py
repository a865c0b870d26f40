from flask import Flask

from feed.bodies import bodies_of
from feed.rendering import render
from graph import Graph
from storage import Storage
from tests.support.people import Builders, assert_problem


def test_a_post_is_visible_to_users_who_do_not_follow_its_author(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    post = builders.publish(ana, caption="Sea")
    assert ben.get(f"/v1/posts/{post['id']}").json == post


def test_no_route_shows_a_deleted_post(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    ben.follow(ana)
    remaining, deleted = (builders.publish(ana)["id"] for _ in range(2))
    for person in (ana, ben):
        assert person.feed() == [int(deleted), int(remaining)]
    for _ in range(2):  # a repeat succeeds too
        assert ana.delete(f"/v1/posts/{deleted}").status_code == 204
        for person in (ana, ben):
            assert person.feed() == [int(remaining)]
            assert_problem(person.get(f"/v1/posts/{deleted}"), 404, "not-found")
            posts = person.get(f"/v1/users/{ana.id}/posts").json["posts"]
            assert [post["id"] for post in posts] == [remaining]
    assert ana.get("/v1/me").json["post_count"] == 1


# Security 7
def test_anothers_post_and_an_absent_one_are_the_same_404(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    post_id = builders.publish(ana)["id"]
    details = {
        assert_problem(ben.delete(f"/v1/posts/{some_id}"), 404, "not-found")["detail"]
        for some_id in (post_id, "1")
    }
    assert len(details) == 1
    assert ana.feed() == [int(post_id)]
    ana.delete(f"/v1/posts/{post_id}")
    assert_problem(ben.delete(f"/v1/posts/{post_id}"), 404, "not-found")


def test_a_deletion_without_the_cache_is_503_and_succeeds_on_repeat(
    builders: Builders, storage: Storage, app_without_cache: Flask
) -> None:
    ana = builders.new_user()
    post_id = int(builders.publish(ana)["id"])
    ana.feed()
    assert storage.bodies.read_many([post_id])[post_id]
    without_cache = ana.on(app_without_cache)
    for _ in range(2):
        assert_problem(without_cache.delete(f"/v1/posts/{post_id}"), 503, "cache-unavailable")
    assert ana.delete(f"/v1/posts/{post_id}").status_code == 204
    assert storage.bodies.read_many([post_id])[post_id] == b""
    assert ana.feed() == []


def test_a_late_write_of_a_body_does_not_revive_a_deleted_post(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    ana = builders.new_user()
    post_id = int(builders.publish(ana)["id"])
    storage.bodies.discard([post_id])  # evicted
    token = storage.bodies.reserve_many([post_id]).get(post_id)  # a slow reader reserves, reads …
    body = render(graph.posts.many([post_id])[post_id], storage)
    assert ana.delete(f"/v1/posts/{post_id}").status_code == 204
    storage.bodies.discard([post_id])  # the tombstone is evicted
    assert token
    assert not storage.bodies.fill_many({post_id: body}, {post_id: token})  # … and writes too late
    assert bodies_of(graph, storage, [post_id]) == {post_id: b""}
    assert ana.feed() == []
