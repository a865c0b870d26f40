import threading
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from graph import Graph
from graph.errors import (
    ClockOffError,
    KeyInFlightError,
    KeyTakenError,
    NotFoundError,
    PhotoPostedError,
    PhotosNotPostableError,
)
from graph.events import Event
from graph.ids import new_id
from graph.posts import Location
from tests.support.concurrency import errors, run_together
from tests.support.outbox import claim
from tests.support.town import Town

SECONDS_OFF = 6


def counts_of(town: Town, author_id: int) -> dict[str, Any]:
    """The numbers of posts, of their photos, of keys and of fan-out events of an author."""
    return town.query(
        "MATCH (author:User {id: $id}) RETURN COUNT { (author)-[:POSTED]->() } AS posts, "
        "COUNT { (author)-[:POSTED]->()-[:SHOWS]->() } AS shown, "
        "COUNT { MATCH (key:IdempotencyKey {user_id: $id}) } AS keys, "
        "COUNT { MATCH (event:Event {author_id: $id, kind: 'post-published'}) } AS events",
        id=author_id,
    )[0]


def test_a_post_is_created_with_its_photos_in_order_its_key_and_its_event(
    graph: Graph, town: Town
) -> None:
    user = town.create_user("Ana")
    author = user.id
    photo_ids = town.photos(author, 3)
    photo_ids = [photo_ids[2], photo_ids[0], photo_ids[1]]
    place = Location(name="Cabo da Roca", latitude=38.78, longitude=-9.5)
    event = town.create_post(author, photo_ids=photo_ids, location=place, key="k", fingerprint="f")
    assert (event.kind, event.author_id, event.cursor, event.epoch) == (
        "post-published",
        author,
        -2,
        0,
    )
    post = graph.posts.by_id(event.subject_id, viewer_id=author)
    assert [photo.id for photo in post.photos] == photo_ids
    assert (post.author_id, post.author_username, post.author_name) == (
        author,
        user.username,
        "Ana",
    )
    assert post.location == place
    assert (post.photos[0].width, post.photos[0].height) == (64, 64)
    used = graph.idempotency_keys.by_key(author, "k")
    assert used
    assert (used.result_id, used.fingerprint) == (post.id, "f")
    assert counts_of(town, author) == {"posts": 1, "shown": 3, "keys": 1, "events": 1}
    assert claim(graph, event.id, 0)


def test_a_post_with_a_large_audience_has_an_event_of_its_own_kind(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(graph.connection.settings, large_audience=1)
    monkeypatch.setattr(graph.connection, "settings", settings)
    author, *followers = town.users(3)
    town.follow(followers[0], author)
    assert town.create_post(author).kind == "post-published"
    town.follow(followers[1], author)
    assert town.create_post(author).kind == "post-published-widely"


def test_a_location_may_lack_coordinates_and_a_post_may_lack_a_location(
    graph: Graph, town: Town
) -> None:
    author = town.user()
    named = town.post(author, location=Location(name="home"), caption=None)[0]
    nowhere = town.post(author, location=None)[0]
    posts = graph.posts.many([named, nowhere])
    assert posts[named].location == Location(name="home")
    assert posts[named].caption is None
    assert posts[nowhere].location is None


def test_a_key_identifies_its_first_post(town: Town) -> None:
    author, other = town.users(2)
    first = town.post(author, key="k", fingerprint="f")[0]
    photo_id = town.photo(author)
    with pytest.raises(KeyTakenError) as refused:
        town.post(author, key="k", fingerprint="g", photo_ids=[photo_id])
    assert (refused.value.result_id, refused.value.fingerprint) == (first, "f")
    town.post(other, key="k")
    assert counts_of(town, author)["posts"] == 1


def test_a_repeat_with_the_same_photos_reports_the_key(town: Town) -> None:
    author = town.user()
    photo_ids = [town.photo(author)]
    first = town.post(author, key="k", photo_ids=photo_ids)[0]
    with pytest.raises(KeyTakenError) as refused:
        town.post(author, key="k", photo_ids=photo_ids)
    assert refused.value.result_id == first


def test_an_expired_key_creates_a_new_post(town: Town) -> None:
    author = town.user()
    first = town.post(author, key="k")[0]
    town.query("MATCH (key:IdempotencyKey {user_id: $id}) SET key.expires_at = 0", id=author)
    assert town.post(author, key="k")[0] != first


def test_a_creation_repeated_after_its_answer_was_lost_succeeds(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, event_id = town.user(), new_id()
    monkeypatch.setattr("graph.posts.new_id", lambda: event_id)
    fields = {"photo_ids": [town.photo(author)], "key": "k", "post_id": new_id()}
    first = town.create_post(author, **fields)
    again = town.create_post(author, **fields)
    assert again == first
    assert counts_of(town, author) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_of_sixteen_posts_with_one_key_one_is_created(town: Town) -> None:
    author = town.user()
    photo_ids = [[town.photo(author)] for _ in range(16)]
    outcomes = run_together(
        *[partial(town.create_post, author, photo_ids=photos, key="k") for photos in photo_ids]
    )
    (created,) = (outcome for outcome in outcomes if isinstance(outcome, Event))
    refused = errors(outcomes)
    assert {type(error) for error in refused} == {KeyTakenError}
    assert {error.result_id for error in refused if isinstance(error, KeyTakenError)} == {
        created.subject_id
    }
    assert counts_of(town, author) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_of_sixteen_posts_of_one_photo_one_is_created(town: Town) -> None:
    author = town.user()
    photo_id = town.photo(author)
    outcomes = run_together(*[lambda: town.create_post(author, photo_ids=[photo_id])] * 16)
    refused = errors(outcomes)
    assert len(refused) == 15
    assert {type(error) for error in refused} == {PhotoPostedError}
    assert counts_of(town, author) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_concurrent_posts_of_the_same_photos_in_opposite_order_create_one_post(town: Town) -> None:
    author = town.user()
    photo_ids = [town.photo(author) for _ in range(4)]
    outcomes = run_together(
        *[
            lambda: town.create_post(author, photo_ids=photo_ids),
            lambda: town.create_post(author, photo_ids=photo_ids[::-1]),
        ]
        * 6
    )
    # On a busy machine a post may wait for more than 5 s. Then its id is too old.
    refusals = {PhotoPostedError, KeyInFlightError, ClockOffError}
    assert {type(error) for error in errors(outcomes)} <= refusals
    assert counts_of(town, author) == {"posts": 1, "shown": 4, "keys": 1, "events": 1}


def test_a_post_is_refused_while_its_photo_is_being_deleted(graph: Graph, town: Town) -> None:
    author = town.user()
    for _ in range(10):
        photo_id = town.photo(author)
        post_id = town.post(author, photo_ids=[photo_id])[0]
        deleted, posted = run_together(
            partial(graph.posts.delete, post_id, author_id=author),
            partial(town.create_post, author, photo_ids=[photo_id]),
        )
        assert isinstance(deleted, Event)
        assert isinstance(posted, PhotoPostedError)


@pytest.mark.parametrize("state", ["waiting", "processing", "failed", "expired"])
def test_a_photo_that_is_not_ready_cannot_be_posted(town: Town, state: str) -> None:
    author = town.user()
    ready, other = town.photo(author), town.photo(author)
    town.query("MATCH (photo:Photo {id: $id}) SET photo.state = $state", id=other, state=state)
    with pytest.raises(PhotosNotPostableError) as refused:
        town.post(author, photo_ids=[ready, other])
    assert refused.value.states == {ready: "ready", other: state}
    assert counts_of(town, author) == {"posts": 0, "shown": 0, "keys": 0, "events": 0}


def test_a_photo_of_another_owner_cannot_be_posted(town: Town) -> None:
    author, other = town.users(2)
    mine, theirs = town.photo(author), town.photo(other)
    with pytest.raises(PhotosNotPostableError) as refused:
        town.post(author, photo_ids=[mine, theirs])
    assert refused.value.states == {mine: "ready"}


def test_a_photo_is_posted_once(town: Town) -> None:
    author = town.user()
    photo_id = town.photo(author)
    town.post(author, photo_ids=[photo_id])
    with pytest.raises(PhotoPostedError) as refused:
        town.post(author, photo_ids=[town.photo(author), photo_id])
    assert refused.value.photo_id == photo_id


def test_an_author_who_is_not_active_cannot_post(town: Town) -> None:
    author = town.user()
    photo_id = town.photo(author)
    town.query("MATCH (user:User {id: $id}) SET user.state = 'gone'", id=author)
    with pytest.raises(NotFoundError):
        town.post(author, photo_ids=[photo_id])


@pytest.mark.parametrize("seconds", [-SECONDS_OFF, SECONDS_OFF])
def test_a_host_whose_clock_is_off_cannot_publish(town: Town, seconds: int) -> None:
    author = town.user()
    graph_ms = town.query("RETURN timestamp() AS now")[0]["now"]
    off = new_id(graph_ms + seconds * 1000)
    with pytest.raises(ClockOffError) as refused:
        town.post(author, post_id=off)
    assert round(refused.value.offset_seconds) == pytest.approx(seconds, abs=1)
    assert counts_of(town, author) == {"posts": 0, "shown": 0, "keys": 0, "events": 0}


def test_a_host_whose_clock_is_off_by_three_seconds_can_publish(town: Town) -> None:
    graph_ms = town.query("RETURN timestamp() AS now")[0]["now"]
    assert town.post(town.user(), post_id=new_id(graph_ms - 3000))[0]


def test_a_post_waits_two_seconds_for_another_with_its_key(town: Town) -> None:
    author = town.user()
    photo_id = town.photo(author)
    with town.uncommitted_key(author, "k") as other:
        with pytest.raises(KeyInFlightError):
            town.post(author, photo_ids=[photo_id], key="k")
        timer = threading.Timer(0.3, other.commit)
        timer.start()
        with pytest.raises(KeyTakenError):
            town.post(author, photo_ids=[photo_id], key="k")
        timer.join()
    assert counts_of(town, author)["posts"] == 0
