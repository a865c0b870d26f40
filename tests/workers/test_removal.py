"""Removal of deleted posts' photos, and of bodies with an old name."""

import pytest

from api.services.posts import delete as delete_post
from feed.bodies import bodies_of
from graph.ids import new_id
from tests.support.local_copies import CopyingProcess
from tests.support.outbox import claim, run
from tests.support.stage import Stage
from tests.support.uploads import object_names
from workers import removal


def test_a_deleted_posts_photos_are_removed_and_then_forgotten(stage: Stage) -> None:
    author = stage.town.user()
    post, event = stage.town.post(author)
    stage.do(event)
    [photo_id] = [row["id"] for row in stage.town.query(PHOTOS, author=author)]
    path = f"test-{photo_id}"
    stage.storage.photos.put_rendition(path, 320, b"jpeg")
    assert object_names(stage.storage.photos, path)
    delete_post(stage.graph, stage.storage, post, author_id=author)
    assert object_names(stage.storage.photos, path), "the request does not wait for the removal"
    [pending] = [
        pending for pending in stage.town.events_of(author) if pending.kind == "post-deleted"
    ]
    assert stage.do(pending) == "done"
    assert not object_names(stage.storage.photos, path)
    assert stage.town.query(PHOTOS, author=author) == []
    assert stage.storage.bodies.read_many([post])[post] == b""


PHOTOS = "MATCH (photo:Photo) WHERE photo.owner_id = $author RETURN photo.id AS id"


def test_a_post_can_be_removed_twice(stage: Stage) -> None:
    author = stage.town.user()
    post, _event = stage.town.post(author)
    delete_post(stage.graph, stage.storage, post, author_id=author)
    removal.remove_post(stage.graph, stage.storage, stage.town.event("post-deleted", post, author))
    removal.remove_post(stage.graph, stage.storage, stage.town.event("post-deleted", post, author))


def test_a_new_name_shows_on_every_post_of_the_author(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "DISCARD_PAGE", 4)
    author = stage.town.user("Old Name")
    posts = stage.town.old_posts(author, [new_id() for _ in range(10)])
    before = bodies_of(stage.graph, stage.storage, posts)
    assert all(b"Old Name" in body for body in before.values())
    _user, event = stage.graph.users.update(author, changes={"name": "Ana"})
    assert stage.do(event) == "done"
    after = bodies_of(stage.graph, stage.storage, posts)
    assert all(b'"Ana"' in body for body in after.values())


def test_the_newest_bodies_are_rendered_with_the_new_name_at_once_and_the_others_when_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "RECENT", 2)
    author = stage.town.user("Old Name")
    posts = stage.town.old_posts(author, sorted(new_id() for _ in range(4)))
    bodies_of(stage.graph, stage.storage, posts)
    _user, event = stage.graph.users.update(author, changes={"name": "Ana"})
    assert stage.do(event) == "done"
    cached = stage.storage.bodies.read_many(posts)
    assert [cached[post] for post in posts[:2]] == [None, None]
    for post in posts[2:]:
        assert b'"name":"Ana"' in (cached[post] or b"")
    assert all(b"Ana" in body for body in bodies_of(stage.graph, stage.storage, posts).values())


def test_a_refresh_that_died_continues_below_its_cursor(stage: Stage) -> None:
    author = stage.town.user("Old Name")
    posts = stage.town.old_posts(author, sorted(new_id() for _ in range(4)))
    bodies_of(stage.graph, stage.storage, posts)
    _user, event = stage.graph.users.update(author, changes={"name": "Ana"})
    assert event
    claimed = claim(stage.graph, event.id, event.epoch)
    assert claimed
    stage.graph.events.advance(event.id, claimed.epoch, posts[2])
    stage.town.end_lease(event.id)
    assert stage.do(stage.town.find_event(event.id)) == "done"
    cached = stage.storage.bodies.read_many(posts)
    assert [cached[post] is None for post in posts] == [True, True, False, False]


def test_a_removal_drops_the_copies_of_other_processes(stage: Stage) -> None:
    author = stage.town.user()
    post, _event = stage.town.post(author)
    bodies_of(stage.graph, stage.storage, [post])
    other = CopyingProcess(stage.storage.cache)
    assert other.body(post, viewer_id=author)
    event = stage.graph.posts.delete(post, author_id=author)  # the request died after its commit
    assert other.has_body(post)
    assert stage.do(event) == "done"
    assert other.body(post, viewer_id=author) == b""


def test_a_refresh_drops_the_copies_of_other_processes_after_its_last_discard(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "DISCARD_PAGE", 1)
    monkeypatch.setattr(removal, "RECENT", 1)
    author = stage.town.user("Old Name")
    posts = stage.town.old_posts(author, sorted(new_id() for _ in range(3)))
    bodies_of(stage.graph, stage.storage, posts)
    other = CopyingProcess(stage.storage.cache)
    _user, event = stage.graph.users.update(author, changes={"name": "Ana"})
    assert event
    stores = stage.behind_proxies()
    last_discard = stores.to.cache.hold(b"p:%d" % posts[0])
    job = stage.begin(run, stores.graph, stores.storage, event.id, event.epoch)
    last_discard.wait()
    for post in posts:  # the oldest body is not discarded yet: this process keeps it
        other.body(post, viewer_id=author)
    last_discard.release()
    assert job.result(10) == "done"
    shown = [other.body(post, viewer_id=author) for post in posts]
    assert not any(b"Old Name" in (body or b"") for body in shown)
