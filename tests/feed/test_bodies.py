import json
import time

import pytest

from api.services.posts import delete as delete_post
from feed import bodies
from feed.bodies import bodies_of
from feed.rendering import render
from graph.ids import new_id
from graph.posts import Location
from tests.support.stage import Stage


def test_a_body_is_the_post_as_the_contract_says(stage: Stage) -> None:
    author = stage.town.user("Ana Ö.")
    photo = stage.town.photo(author)
    post_id = new_id()
    stage.graph.posts.create(
        post_id=post_id,
        author_id=author,
        photo_ids=[photo],
        caption="A day at the sea \N{WATER WAVE}",
        location=Location(name="Nice", latitude=43.7, longitude=7.25),
        key="k",
        fingerprint="f",
    )
    text = render(stage.graph.posts.many([post_id])[post_id], stage.storage)
    body = json.loads(text)
    created_at = body.pop("created_at")
    assert created_at.endswith("Z")
    assert len(created_at) == len("2026-11-22T19:53:44.123Z")
    username = body["author"].pop("username")
    assert username.startswith("u")
    assert body == {
        "id": str(post_id),
        "author": {"id": str(author), "name": "Ana Ö."},
        "caption": "A day at the sea \N{WATER WAVE}",
        "location": {"name": "Nice", "latitude": 43.7, "longitude": 7.25},
        "photos": [
            {
                "id": str(photo),
                "width": 64,
                "height": 64,
                "blurhash": "x",
                "alt_text": None,
                "renditions": stage.storage.photos.rendition_urls(f"test-{photo}"),
            }
        ],
    }
    assert "Ö".encode() in text, "UTF-8, not escapes"
    assert b", " not in text.replace(b"A day at the sea", b""), "compact"


def test_bodies_are_kept_and_what_does_not_exist_is_kept_as_gone(stage: Stage) -> None:
    author = stage.town.user()
    post, _event = stage.town.post(author)
    nothing = new_id()
    found = bodies_of(stage.graph, stage.storage, [post, nothing, post])
    assert list(found) == [post, nothing]
    assert found[nothing] == b""
    assert stage.storage.bodies.many([post, nothing]) == found


def test_what_the_caller_knows_is_not_asked_for_again(stage: Stage) -> None:
    known = {1: b"one", 2: b""}
    assert bodies_of(stage.graph, stage.storage, [2, 1], known) == known


def test_without_the_cache_the_graph_answers_alone(stage: Stage) -> None:
    post, _event = stage.town.post(stage.town.user())
    cut_off = stage.behind_proxies()
    with cut_off.to_cache.outage():
        found = bodies_of(cut_off.graph, cut_off.storage, [post], {post: None})
    assert json.loads(found[post])["id"] == str(post)


def test_a_slow_cache_is_waited_for_three_times_and_not_for_each_post(stage: Stage) -> None:
    author = stage.town.user()
    posts = [stage.town.post(author)[0] for _ in range(40)]
    cut_off = stage.behind_proxies()
    cut_off.storage.ping_cache()
    with cut_off.storage.cache.wire():
        pass  # connected
    cut_off.to_cache.slow(0.1)
    began = time.monotonic()
    found = bodies_of(cut_off.graph, cut_off.storage, posts)
    assert time.monotonic() - began < 4  # two round trips a post would be eight or more
    assert stage.storage.bodies.many(posts) == found


def test_a_body_that_another_is_filling_is_answered_and_left_to_them(stage: Stage) -> None:
    post, _event = stage.town.post(stage.town.user())
    token = stage.storage.bodies.claim_many([post]).get(post)
    assert token
    assert bodies_of(stage.graph, stage.storage, [post])[post]
    assert stage.storage.bodies.many([post]) == {post: None}
    assert stage.storage.bodies.fill_many({post: b"theirs"}, {post: token})


def test_a_body_that_many_want_at_once_is_asked_of_the_graph_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, _event = stage.town.post(stage.town.user())
    held = stage.behind_proxies()
    hold = held.at_query("posts/many", side="answer")
    first = stage.begin(bodies_of, held.graph, held.storage, [post])
    hold.wait()
    asked: list[list[int]] = []
    monkeypatch.setattr(bodies, "LOOK_AGAIN_SECONDS", (0.01,) * 500)
    monkeypatch.setattr(stage.graph.posts, "many", asked.append)
    others = [stage.begin(bodies_of, stage.graph, stage.storage, [post]) for _ in range(6)]
    hold.release()
    found = [reading.result(10) for reading in (first, *others)]
    assert asked == []
    assert all(one == found[0] and one[post] for one in found)


def test_who_waits_for_a_body_gets_no_reading_that_began_before_a_deletion(stage: Stage) -> None:
    author = stage.town.user()
    post, _event = stage.town.post(author)
    held = stage.behind_proxies()
    hold = held.at_query("posts/many", side="answer")
    first = stage.begin(bodies_of, held.graph, held.storage, [post])
    hold.wait()
    delete_post(stage.graph, stage.storage, post, author_id=author)
    second = stage.begin(bodies_of, stage.graph, stage.storage, [post])
    assert second.result(10) == {post: b""}
    hold.release()
    assert first.result(10)[post], "that reader began before the deletion"
    assert bodies_of(stage.graph, stage.storage, [post]) == {post: b""}
