from flask import Flask

from feed.bodies import bodies_of
from feed.rendering import render
from graph import Graph
from storage import Storage
from tests.support.people import Builders, assert_problem


def test_anybody_signed_in_sees_a_post_whose_author_they_may_see(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    post = builders.publish(ana, caption="Sea")
    assert ben.get(f"/v1/posts/{post['id']}").json == post


def test_a_deleted_post_is_gone_from_every_route(builders: Builders) -> None:
    ana, ben = builders.new_user(), builders.new_user()
    builders.follow(ben, ana)
    kept, gone = (builders.publish(ana)["id"] for _ in range(2))
    for person in (ana, ben):
        assert person.feed() == [int(gone), int(kept)]
    for _ in range(2):  # the second time, too, is fine
        assert ana.delete(f"/v1/posts/{gone}").status_code == 204
        for person in (ana, ben):
            assert person.feed() == [int(kept)]
            assert_problem(person.get(f"/v1/posts/{gone}"), 404, "not-found")
            listed = person.get(f"/v1/users/{ana.id}/posts").json["posts"]
            assert [post["id"] for post in listed] == [kept]
    assert ana.get("/v1/me").json["post_count"] == 1


def test_anothers_post_cannot_be_deleted_nor_told_from_none(builders: Builders) -> None:
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


def test_deleting_is_503_without_the_cache_and_done_on_repeat(
    builders: Builders, storage: Storage, app_without_cache: Flask
) -> None:
    ana = builders.new_user()
    post_id = int(builders.publish(ana)["id"])
    ana.feed()
    assert storage.bodies.many([post_id])[post_id]
    here = ana.on(app_without_cache)
    for _ in range(2):
        assert_problem(here.delete(f"/v1/posts/{post_id}"), 503, "cache-unavailable")
    assert ana.delete(f"/v1/posts/{post_id}").status_code == 204
    assert storage.bodies.many([post_id])[post_id] == b""
    assert ana.feed() == []


def test_a_body_written_late_does_not_revive_a_deleted_post(
    builders: Builders, graph: Graph, storage: Storage
) -> None:
    ana = builders.new_user()
    post_id = int(builders.publish(ana)["id"])
    storage.bodies.discard([post_id])  # evicted
    claim = storage.bodies.claim_many([post_id]).get(post_id)  # a slow request: marks, reads …
    body = render(graph.posts.many([post_id])[post_id], storage)
    assert ana.delete(f"/v1/posts/{post_id}").status_code == 204
    storage.bodies.discard([post_id])  # the tombstone is evicted
    assert claim
    assert not storage.bodies.fill_many({post_id: body}, {post_id: claim})  # … and writes too late
    assert bodies_of(graph, storage, [post_id]) == {post_id: b""}
    assert ana.feed() == []
