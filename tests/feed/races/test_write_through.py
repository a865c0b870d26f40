"""A body is written at its commit, unless the post or its author changed: case 5, P3 and P6."""

import json
import secrets
from collections.abc import Callable

import pytest

from api.services import profiles
from api.services.posts import Draft, PublishedPost, publish
from api.services.posts import delete as delete_post
from feed.bodies import bodies_of
from graph import Graph
from storage import Storage
from storage.bodies import Bodies
from storage.reservations import FILL
from tests.support.stage import Stage


def posting(stage: Stage, author: int) -> Callable[[Graph, Storage], PublishedPost]:
    draft = Draft(photo_ids=(stage.town.photo(author),), caption="the sea", location=None)
    key = secrets.token_hex(8)
    return lambda graph, storage: publish(graph, storage, draft, author_id=author, key=key)


def cached_body(stage: Stage, post_id: int) -> bytes | None:
    return stage.storage.bodies.read_many([post_id])[post_id]


def test_publishing_caches_the_same_body_that_a_reader_renders(stage: Stage) -> None:
    author = stage.town.user("Ana Ö.")
    published = posting(stage, author)(stage.graph, stage.storage)
    assert cached_body(stage, published.post_id) == published.body
    stage.evict(f"p:{published.post_id}")
    assert bodies_of(stage.graph, stage.storage, [published.post_id]) == {
        published.post_id: published.body
    }


def test_a_body_that_publishing_did_not_cache_is_rendered_by_a_reader(stage: Stage) -> None:
    """The reservation was evicted or has expired, so the body is not written."""
    author = stage.town.user()
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("posts/create", side="answer")
    request = stage.begin(posting(stage, author), proxied.graph, proxied.storage)
    hold.wait()
    [post] = stage.town.expected_feed(author)
    stage.evict(f"p:{post}")
    hold.release()
    assert request.result(10).post_id == post
    assert cached_body(stage, post) is None
    stage.check_feed(author)


# Case 5
@pytest.mark.parametrize("evicted", [False, True], ids=["", "tombstone evicted"])
def test_the_body_of_a_publishing_is_refused_after_the_deletion(
    stage: Stage, evicted: bool
) -> None:
    author = stage.town.user()
    proxied = stage.behind_proxies()
    hold = proxied.to.cache.hold(FILL.digest)
    request = stage.begin(posting(stage, author), proxied.graph, proxied.storage)
    hold.wait()
    [post] = stage.town.expected_feed(author)
    delete_post(stage.graph, stage.storage, post, author_id=author)
    if evicted:
        stage.evict(f"p:{post}")
    hold.release()
    request.result(10)
    assert not cached_body(stage, post)
    stage.check_feed(author)


def by_the_request(stage: Stage, author: int) -> None:
    profiles.update(stage.graph, stage.storage, author, changes={"name": "New"})


def by_the_event(stage: Stage, author: int) -> None:
    event = stage.graph.users.update(author, changes={"name": "New"})[1]
    stage.do(event)


# P3
@pytest.mark.parametrize("rename", [by_the_request, by_the_event])
def test_a_body_on_its_way_to_the_cache_is_refused_after_a_new_name(
    stage: Stage, rename: Callable[[Stage, int], None]
) -> None:
    author = stage.town.user("Old")
    proxied = stage.behind_proxies()
    hold = proxied.to.cache.hold(FILL.digest)
    request = stage.begin(posting(stage, author), proxied.graph, proxied.storage)
    hold.wait()
    rename(stage, author)  # it finds the post in the graph
    hold.release()
    body = cached_body(stage, request.result(10).post_id)
    assert body is None or json.loads(body)["author"]["name"] == "New"


# P3
@pytest.mark.parametrize("rename", [by_the_request, by_the_event])
@pytest.mark.parametrize("again", [False, True], ids=["", "another publishes at once"])
def test_a_body_with_an_old_name_is_refused_after_the_new_one(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    rename: Callable[[Stage, int], None],
    again: bool,
) -> None:
    author = stage.town.user("Old")
    proxied = stage.behind_proxies()
    hold = proxied.to.cache.hold(b"SREM")
    request = stage.begin(posting(stage, author), proxied.graph, proxied.storage)
    hold.wait()
    with monkeypatch.context() as patch:
        # As if the post had read the old name, and was committed after the bodies were discarded.
        patch.setattr(Bodies, "discard", lambda _bodies, _post_ids: None)
        rename(stage, author)
    if again:
        second = posting(stage, author)(stage.graph, stage.storage)
        assert json.loads(second.body)["author"]["name"] == "New"
        assert cached_body(stage, second.post_id) == second.body
    hold.release()
    first = request.result(10)
    assert cached_body(stage, first.post_id) is None
    body = bodies_of(stage.graph, stage.storage, [first.post_id])[first.post_id]
    assert json.loads(body)["author"]["name"] == "New"
