"""A body is written with its commit, unless what it says has changed by then: case 5, P3 and P6."""

import json
import secrets
from collections.abc import Callable

import pytest

from api.services import profiles
from api.services.posts import Draft, Published, publish
from api.services.posts import delete as delete_post
from feed.bodies import bodies_of
from graph import Graph
from storage import Storage
from storage.bodies import Bodies
from tests.support.stage import Stage


def posting(stage: Stage, author: int) -> Callable[[Graph, Storage], Published]:
    draft = Draft(photo_ids=(stage.town.photo(author),), caption="the sea", location=None)
    key = secrets.token_hex(8)
    return lambda graph, storage: publish(graph, storage, draft, author_id=author, key=key)


def kept(stage: Stage, post_id: int) -> bytes | None:
    return stage.storage.bodies.many([post_id])[post_id]


def test_a_new_posts_body_is_in_the_cache_as_a_reader_would_make_it(stage: Stage) -> None:
    author = stage.town.user("Ana Ö.")
    made = posting(stage, author)(stage.graph, stage.storage)
    assert kept(stage, made.post_id) == made.body
    stage.evict(f"p:{made.post_id}")
    assert bodies_of(stage.graph, stage.storage, [made.post_id]) == {made.post_id: made.body}


def test_without_a_body_kept_a_reader_makes_it(stage: Stage) -> None:
    """The claim is gone (evicted, or the commit took longer): nothing is written."""
    author = stage.town.user()
    held = stage.behind_proxies()
    hold = held.at_query("posts/create", side="answer")
    request = stage.begin(posting(stage, author), held.graph, held.storage)
    hold.wait()
    [post] = stage.town.truth(author)
    stage.evict(f"p:{post}")
    hold.release()
    assert request.result(10).post_id == post
    assert kept(stage, post) is None
    stage.right(author)


# Case 5
@pytest.mark.parametrize("evicted", [False, True], ids=["", "tombstone evicted"])
def test_a_body_on_its_way_is_refused_after_the_deletion(stage: Stage, evicted: bool) -> None:
    author = stage.town.user()
    held = stage.behind_proxies()
    hold = held.to_cache.hold(b'{"id":"')
    request = stage.begin(posting(stage, author), held.graph, held.storage)
    hold.wait()
    [post] = stage.town.truth(author)
    delete_post(stage.graph, stage.storage, post, author_id=author)
    if evicted:
        stage.evict(f"p:{post}")
    hold.release()
    request.result(10)
    assert not kept(stage, post)
    stage.right(author)


def by_the_request(stage: Stage, author: int) -> None:
    profiles.update(stage.graph, stage.storage, author, changes={"name": "New"})


def by_the_event(stage: Stage, author: int) -> None:
    event = stage.graph.users.update(author, changes={"name": "New"})[1]
    stage.do(event)


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
    held = stage.behind_proxies()
    hold = held.to_cache.hold(b'{"id":"')
    request = stage.begin(posting(stage, author), held.graph, held.storage)
    hold.wait()
    with monkeypatch.context() as patch:
        # As where the post, its author's name read, was not committed when bodies were looked for.
        patch.setattr(Bodies, "discard", lambda _bodies, _post_ids: None)
        rename(stage, author)
    if again:
        second = posting(stage, author)(stage.graph, stage.storage)
        assert json.loads(second.body)["author"]["name"] == "New"
        assert kept(stage, second.post_id) == second.body
    hold.release()
    first = request.result(10)
    assert kept(stage, first.post_id) is None
    body = bodies_of(stage.graph, stage.storage, [first.post_id])[first.post_id]
    assert json.loads(body)["author"]["name"] == "New"
