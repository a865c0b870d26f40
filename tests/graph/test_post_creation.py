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
from tests.support.maker import Maker, errors, run_together

SECONDS_OFF = 6


def counts_of(make: Maker, author_id: int) -> dict[str, Any]:
    """The numbers of posts, of their photos, of keys and of fan-out events of an author."""
    return make.cypher(
        "MATCH (author:User {id: $id}) RETURN COUNT { (author)-[:POSTED]->() } AS posts, "
        "COUNT { (author)-[:POSTED]->()-[:SHOWS]->() } AS shown, "
        "COUNT { MATCH (key:IdempotencyKey {user_id: $id}) } AS keys, "
        "COUNT { MATCH (event:Event {author_id: $id, kind: 'post-published'}) } AS events",
        id=author_id,
    )[0]


def test_a_post_is_created_with_its_photos_in_order_its_key_and_its_event(
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
    assert counts_of(make, author.id) == {"posts": 1, "shown": 3, "keys": 1, "events": 1}
    assert graph.events.claim(event.id, 0)


def test_a_post_with_a_large_audience_has_an_event_of_its_own_kind(
    graph: Graph, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(graph.connection.settings, large_audience=1)
    monkeypatch.setattr(graph.connection, "settings", settings)
    author, *followers = make.users(3)
    make.follow(followers[0].id, author.id)
    assert make.post_and_event(author.id).kind == "post-published"
    make.follow(followers[1].id, author.id)
    assert make.post_and_event(author.id).kind == "post-published-widely"


def test_a_location_may_lack_coordinates_and_a_post_may_lack_a_location(
    graph: Graph, make: Maker
) -> None:
    author = make.user()
    named = make.post(author.id, location=Location(name="home"), caption=None)
    nowhere = make.post(author.id, location=None)
    posts = graph.posts.many([named, nowhere])
    assert posts[named].location == Location(name="home")
    assert posts[named].caption is None
    assert posts[nowhere].location is None


def test_a_key_identifies_its_first_post(make: Maker) -> None:
    author, other = make.users(2)
    first = make.post(author.id, key="k", fingerprint="f")
    photo_id = make.photo(author.id)
    with pytest.raises(KeyTakenError) as refused:
        make.post(author.id, key="k", fingerprint="g", photo_ids=[photo_id])
    assert (refused.value.result_id, refused.value.fingerprint) == (first, "f")
    make.post(other.id, key="k")
    assert counts_of(make, author.id)["posts"] == 1


def test_a_repeat_with_the_same_photos_reports_the_key(make: Maker) -> None:
    author = make.user()
    photo_ids = [make.photo(author.id)]
    first = make.post(author.id, key="k", photo_ids=photo_ids)
    with pytest.raises(KeyTakenError) as refused:
        make.post(author.id, key="k", photo_ids=photo_ids)
    assert refused.value.result_id == first


def test_an_expired_key_creates_a_new_post(make: Maker) -> None:
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
    assert counts_of(make, author.id) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_of_sixteen_posts_with_one_key_one_is_created(make: Maker) -> None:
    author = make.user()
    photo_ids = [[make.photo(author.id)] for _ in range(16)]
    outcomes = run_together(
        *[
            partial(make.post_and_event, author.id, photo_ids=photos, key="k")
            for photos in photo_ids
        ]
    )
    (created,) = (outcome for outcome in outcomes if isinstance(outcome, Event))
    refused = errors(outcomes)
    assert {type(error) for error in refused} == {KeyTakenError}
    assert {error.result_id for error in refused if isinstance(error, KeyTakenError)} == {
        created.subject_id
    }
    assert counts_of(make, author.id) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_of_sixteen_posts_of_one_photo_one_is_created(make: Maker) -> None:
    author = make.user()
    photo_id = make.photo(author.id)
    outcomes = run_together(*[lambda: make.post_and_event(author.id, photo_ids=[photo_id])] * 16)
    refused = errors(outcomes)
    assert len(refused) == 15
    assert {type(error) for error in refused} == {PhotoPostedError}
    assert counts_of(make, author.id) == {"posts": 1, "shown": 1, "keys": 1, "events": 1}


def test_concurrent_posts_of_the_same_photos_in_opposite_order_create_one_post(make: Maker) -> None:
    author = make.user()
    photo_ids = [make.photo(author.id) for _ in range(4)]
    outcomes = run_together(
        *[
            lambda: make.post_and_event(author.id, photo_ids=photo_ids),
            lambda: make.post_and_event(author.id, photo_ids=photo_ids[::-1]),
        ]
        * 6
    )
    # On a busy machine a post may wait for more than 5 s. Then its id is too old.
    refusals = {PhotoPostedError, KeyInFlightError, ClockOffError}
    assert {type(error) for error in errors(outcomes)} <= refusals
    assert counts_of(make, author.id) == {"posts": 1, "shown": 4, "keys": 1, "events": 1}


def test_a_post_is_refused_while_its_photo_is_being_deleted(graph: Graph, make: Maker) -> None:
    author = make.user()
    for _ in range(10):
        photo_id = make.photo(author.id)
        post_id = make.post(author.id, photo_ids=[photo_id])
        deleted, posted = run_together(
            partial(graph.posts.delete, post_id, author_id=author.id),
            partial(make.post_and_event, author.id, photo_ids=[photo_id]),
        )
        assert isinstance(deleted, Event)
        assert isinstance(posted, PhotoPostedError)


@pytest.mark.parametrize("state", ["waiting", "processing", "failed", "expired"])
def test_a_photo_that_is_not_ready_cannot_be_posted(make: Maker, state: str) -> None:
    author = make.user()
    ready, other = make.photo(author.id), make.photo(author.id)
    make.cypher("MATCH (photo:Photo {id: $id}) SET photo.state = $state", id=other, state=state)
    with pytest.raises(PhotosNotPostableError) as refused:
        make.post(author.id, photo_ids=[ready, other])
    assert refused.value.states == {ready: "ready", other: state}
    assert counts_of(make, author.id) == {"posts": 0, "shown": 0, "keys": 0, "events": 0}


def test_a_photo_of_another_owner_cannot_be_posted(make: Maker) -> None:
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


def test_an_author_who_is_not_active_cannot_post(make: Maker) -> None:
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
    assert counts_of(make, author.id) == {"posts": 0, "shown": 0, "keys": 0, "events": 0}


def test_a_host_whose_clock_is_off_by_three_seconds_can_publish(make: Maker) -> None:
    graph_ms = make.cypher("RETURN timestamp() AS now")[0]["now"]
    assert make.post(make.user().id, post_id=new_id(graph_ms - 3000))


def test_a_post_waits_two_seconds_for_another_with_its_key(graph: Graph, make: Maker) -> None:
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
    assert counts_of(make, author.id)["posts"] == 0
