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
from tests.support.maker import Maker, errors, together

SECONDS_OFF = 6


def counted(make: Maker, author_id: int) -> dict[str, Any]:
    """How many posts, photos shown, keys and fan-outs an author has."""
    return make.cypher(
        "MATCH (author:User {id: $id}) RETURN COUNT { (author)-[:POSTED]->() } AS posts, "
        "COUNT { (author)-[:POSTED]->()-[:SHOWS]->() } AS shown, "
        "COUNT { MATCH (key:IdempotencyKey {user_id: $id}) } AS keys, "
        "COUNT { MATCH (event:Event {author_id: $id, kind: 'post-published'}) } AS events",
        id=author_id,
    )[0]


def test_a_post_exists_with_its_photos_in_order_its_key_and_its_event(
    graph: Graph, make: Maker
) -> None:
    author = make.user("Ana")
    photo_ids = [make.photo(author.id) for _ in range(3)]
    photo_ids = [photo_ids[2], photo_ids[0], photo_ids[1]]
    event = make.post_and_event(author.id, photo_ids=photo_ids, key="k", fingerprint="f")
    assert (event.kind, event.author_id, event.cursor, event.epoch) == (
        "post-published",
        author.id,
        -2,
        0,
    )
    post = graph.posts.by_id(event.subject_id, viewer_id=author.id)
    assert [photo.id for photo in post.photos] == photo_ids
    assert (post.author_id, post.author_username, post.author_name) == (
        author.id,
        author.username,
        "Ana",
    )
    assert post.location == Location(name="Cabo da Roca", latitude=38.78, longitude=-9.5)
    assert (post.photos[0].width, post.photos[0].height) == (1080, 720)
    used = graph.idempotency_keys.by_key(author.id, "k")
    assert used
    assert (used.result_id, used.fingerprint) == (post.id, "f")
    assert counted(make, author.id) == {"posts": 1, "shown": 3, "keys": 1, "events": 1}
    assert graph.events.claim(event.id, 0)


def test_a_post_that_very_many_follow_owes_a_fan_out_of_its_own_kind(
    graph: Graph, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(graph.connection.settings, large_audience=1)
    monkeypatch.setattr(graph.connection, "settings", few)
    author, *followers = make.users(3)
    make.follow(followers[0].id, author.id)
    assert make.post_and_event(author.id).kind == "post-published"
    make.follow(followers[1].id, author.id)
    assert make.post_and_event(author.id).kind == "post-published-widely"


def test_a_place_may_have_no_coordinates_and_a_post_no_place(graph: Graph, make: Maker) -> None:
    author = make.user()
    named = make.post(author.id, location=Location(name="home"), caption=None)
    nowhere = make.post(author.id, location=None)
    posts = graph.posts.many([named, nowhere])
    assert posts[named].location == Location(name="home")
    assert posts[named].caption is None
    assert posts[nowhere].location is None


def test_a_key_stands_for_its_first_post(make: Maker) -> None:
    author, other = make.users(2)
    first = make.post(author.id, key="k", fingerprint="f")
    photo_id = make.photo(author.id)
    with pytest.raises(KeyTakenError) as refused:
        make.post(author.id, key="k", fingerprint="g", photo_ids=[photo_id])
    assert (refused.value.result_id, refused.value.fingerprint) == (first, "f")
    make.post(other.id, key="k")
    assert counted(make, author.id)["posts"] == 1


def test_a_repeat_with_the_same_photos_is_told_of_its_key(make: Maker) -> None:
    author = make.user()
    photo_ids = [make.photo(author.id)]
    first = make.post(author.id, key="k", photo_ids=photo_ids)
    with pytest.raises(KeyTakenError) as refused:
        make.post(author.id, key="k", photo_ids=photo_ids)
    assert refused.value.result_id == first


def test_an_expired_key_makes_a_new_post(make: Maker) -> None:
    author = make.user()
    first = make.post(author.id, key="k")
    make.cypher("MATCH (key:IdempotencyKey {user_id: $id}) SET key.expires_at = 0", id=author.id)
    assert make.post(author.id, key="k") != first


def test_a_creation_repeated_after_its_answer_was_lost_succeeds(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, event_id = make.user(), new_id()
    monkeypatch.setattr("graph.posts.new_id", lambda: event_id)
    fields = {"photo_ids": [make.photo(author.id)], "key": "k", "post_id": new_id()}
    first = make.post_and_event(author.id, **fields)
    again = make.post_and_event(author.id, **fields)
    assert again == first
    assert counted(make, author.id) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_of_sixteen_posts_with_one_key_one_is_made(make: Maker) -> None:
    author = make.user()
    photo_ids = [[make.photo(author.id)] for _ in range(16)]
    outcomes = together(
        *[
            partial(make.post_and_event, author.id, photo_ids=photos, key="k")
            for photos in photo_ids
        ]
    )
    (made,) = (outcome for outcome in outcomes if isinstance(outcome, Event))
    refused = errors(outcomes)
    assert {type(error) for error in refused} == {KeyTakenError}
    assert {error.result_id for error in refused if isinstance(error, KeyTakenError)} == {
        made.subject_id
    }
    assert counted(make, author.id) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_of_sixteen_posts_of_one_photo_one_is_made(make: Maker) -> None:
    author = make.user()
    photo_id = make.photo(author.id)
    outcomes = together(*[lambda: make.post_and_event(author.id, photo_ids=[photo_id])] * 16)
    refused = errors(outcomes)
    assert len(refused) == 15
    assert {type(error) for error in refused} == {PhotoPostedError}
    assert counted(make, author.id) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_posts_that_want_the_same_photos_in_opposite_order_end(make: Maker) -> None:
    author = make.user()
    photo_ids = [make.photo(author.id) for _ in range(4)]
    outcomes = together(
        *[
            lambda: make.post_and_event(author.id, photo_ids=photo_ids),
            lambda: make.post_and_event(author.id, photo_ids=photo_ids[::-1]),
        ]
        * 6
    )
    # On a machine so busy that one waits for 5 s, its id is older than a right clock would draw it
    refusals = {PhotoPostedError, KeyInFlightError, ClockOffError}
    assert {type(error) for error in errors(outcomes)} <= refusals
    assert counted(make, author.id) == {"posts": 1, "shown": 4, "keys": 1, "events": 1}


def test_a_post_while_its_photo_is_being_deleted_is_refused(graph: Graph, make: Maker) -> None:
    author = make.user()
    for _ in range(10):
        photo_id = make.photo(author.id)
        post_id = make.post(author.id, photo_ids=[photo_id])
        deleted, posted = together(
            partial(graph.posts.delete, post_id, author_id=author.id),
            partial(make.post_and_event, author.id, photo_ids=[photo_id]),
        )
        assert isinstance(deleted, Event)
        assert isinstance(posted, PhotoPostedError)


@pytest.mark.parametrize("state", ["waiting", "processing", "failed", "expired"])
def test_what_is_not_ready_cannot_be_posted(make: Maker, state: str) -> None:
    author = make.user()
    ready, other = make.photo(author.id), make.photo(author.id)
    make.cypher("MATCH (photo:Photo {id: $id}) SET photo.state = $state", id=other, state=state)
    with pytest.raises(PhotosNotPostableError) as refused:
        make.post(author.id, photo_ids=[ready, other])
    assert refused.value.states == {ready: "ready", other: state}
    assert counted(make, author.id) == {"posts": 0, "shown": 0, "keys": 0, "events": 0}


def test_anothers_photo_cannot_be_posted(make: Maker) -> None:
    author, other = make.users(2)
    mine, theirs = make.photo(author.id), make.photo(other.id)
    with pytest.raises(PhotosNotPostableError) as refused:
        make.post(author.id, photo_ids=[mine, theirs])
    assert refused.value.states == {mine: "ready"}


def test_a_photo_is_posted_once(make: Maker) -> None:
    author = make.user()
    photo_id = make.photo(author.id)
    make.post(author.id, photo_ids=[photo_id])
    with pytest.raises(PhotoPostedError) as refused:
        make.post(author.id, photo_ids=[make.photo(author.id), photo_id])
    assert refused.value.photo_id == photo_id


def test_nobody_posts_for_who_is_absent(make: Maker) -> None:
    author = make.user()
    photo_id = make.photo(author.id)
    make.cypher("MATCH (user:User {id: $id}) SET user.state = 'gone'", id=author.id)
    with pytest.raises(NotFoundError):
        make.post(author.id, photo_ids=[photo_id])


@pytest.mark.parametrize("seconds", [-SECONDS_OFF, SECONDS_OFF])
def test_a_host_whose_clock_is_off_cannot_publish(make: Maker, seconds: int) -> None:
    author = make.user()
    graph_ms = make.cypher("RETURN timestamp() AS now")[0]["now"]
    off = new_id(graph_ms + seconds * 1000)
    with pytest.raises(ClockOffError) as refused:
        make.post(author.id, post_id=off)
    assert round(refused.value.offset_seconds) == pytest.approx(seconds, abs=1)
    assert counted(make, author.id) == {"posts": 0, "shown": 0, "keys": 0, "events": 0}


def test_a_clock_that_is_a_little_off_can(make: Maker) -> None:
    graph_ms = make.cypher("RETURN timestamp() AS now")[0]["now"]
    assert make.post(make.user().id, post_id=new_id(graph_ms - 3000))


def test_a_post_waits_for_another_with_its_key_and_then_gives_up(graph: Graph, make: Maker) -> None:
    author = make.user()
    photo_id = make.photo(author.id)
    connection = graph.connection
    with connection._driver.session(database=connection._database) as session:
        other = session.begin_transaction()
        other.run(
            "CREATE (:IdempotencyKey {user_id: $id, key: 'k', fingerprint: 'f', result_id: 7, "
            "expires_at: timestamp() + 60000})",
            id=author.id,
        ).consume()
        with pytest.raises(KeyInFlightError):
            make.post(author.id, photo_ids=[photo_id], key="k")
        timer = threading.Timer(0.3, other.commit)
        timer.start()
        with pytest.raises(KeyTakenError):
            make.post(author.id, photo_ids=[photo_id], key="k")
        timer.join()
    assert counted(make, author.id)["posts"] == 0
