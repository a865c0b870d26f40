import threading
from dataclasses import replace
from functools import partial

import pytest

from graph import Graph
from graph.errors import (
    KeyInFlightError,
    KeyTakenError,
    NotFoundError,
    PhotoPostedError,
    PhotosNotPostableError,
)
from graph.events import Event
from graph.ids import MAX_ID, new_id
from graph.photos import Photo
from tests.support.concurrency import errors, run_together
from tests.support.photo_states import photo_in, state_of
from tests.support.town import Town


def test_a_new_photo_is_waiting_and_only_its_owner_can_read_it(graph: Graph, town: Town) -> None:
    owner, other = town.users(2)
    photo_id = town.waiting_photo(
        owner, path="a-path", checksum_sha256="c3Vt", alt_text="a lighthouse"
    ).id
    photo = graph.photos.by_id(photo_id, owner_id=owner)
    assert (photo.state, photo.path, photo.checksum_sha256) == ("waiting", "a-path", "c3Vt")
    assert (photo.width, photo.failure_code, photo.alt_text) == (None, None, "a lighthouse")
    assert graph.photos.get(photo_id) == photo
    with pytest.raises(NotFoundError):
        graph.photos.by_id(photo_id, owner_id=other)
    assert graph.photos.get(new_id()) is None
    with pytest.raises(NotFoundError):
        town.waiting_photo(new_id())


def test_a_key_identifies_its_first_photo(town: Town) -> None:
    owner, other = town.users(2)
    photo_id = town.waiting_photo(owner, key="k", fingerprint="of the body").id
    with pytest.raises(KeyTakenError) as refused:
        town.waiting_photo(owner, key="k", fingerprint="of another body")
    assert refused.value.result_id == photo_id
    assert refused.value.fingerprint == "of the body"
    town.waiting_photo(other, key="k", fingerprint="of the body")


def test_an_expired_key_can_be_used_again_before_the_sweeper_deletes_it(
    graph: Graph, town: Town
) -> None:
    owner = town.user()
    town.waiting_photo(owner, key="k", fingerprint="old")
    town.query("MATCH (key:IdempotencyKey {user_id: $id}) SET key.expires_at = 0", id=owner)
    assert graph.idempotency_keys.by_key(owner, "k") is None
    photo_id = town.waiting_photo(owner, key="k", fingerprint="new").id
    used = graph.idempotency_keys.by_key(owner, "k")
    assert used
    assert (used.result_id, used.fingerprint) == (photo_id, "new")


def test_of_many_requests_with_one_expired_key_one_succeeds(town: Town) -> None:
    owner = town.user()
    keys = [f"k{number}" for number in range(8)]
    for key in keys:
        town.waiting_photo(owner, key=key, fingerprint="old")
    town.query("MATCH (key:IdempotencyKey {user_id: $id}) SET key.expires_at = 0", id=owner)
    for key in keys:
        wanted = partial(town.waiting_photo, owner, key=key, fingerprint="new")
        outcomes = run_together(*[wanted] * 4)
        (photo_id,) = (outcome.id for outcome in outcomes if isinstance(outcome, Photo))
        refused = [error for error in errors(outcomes) if isinstance(error, KeyTakenError)]
        assert [error.result_id for error in refused] == [photo_id] * 3, outcomes
    assert town.query(
        "MATCH (photo:Photo {owner_id: $id}) RETURN count(photo) AS photos", id=owner
    ) == [{"photos": 16}]


def test_a_photo_waits_two_seconds_for_another_with_its_key(town: Town) -> None:
    owner = town.user()
    with town.uncommitted_key(owner, "k") as other:
        with pytest.raises(KeyInFlightError):
            town.waiting_photo(owner, key="k", fingerprint="f")
        timer = threading.Timer(0.3, other.commit)
        timer.start()
        with pytest.raises(KeyTakenError):
            town.waiting_photo(owner, key="k", fingerprint="f")
        timer.join()


def test_a_creation_repeated_after_its_answer_was_lost_succeeds(graph: Graph, town: Town) -> None:
    owner = town.user()
    photo_id = town.waiting_photo(owner, key="k", fingerprint="f").id
    photo = graph.photos.by_id(photo_id, owner_id=owner)
    again = graph.photos.create(
        photo_id=photo_id,
        owner_id=owner,
        path=photo.path,
        content_type=photo.content_type,
        size_bytes=photo.size_bytes,
        checksum_sha256=None,
        alt_text=photo.alt_text,
        expires_at=photo.expires_at,
        key="k",
        fingerprint="f",
    )
    assert again == photo


def test_sixteen_completions_create_one_event(graph: Graph, town: Town) -> None:
    owner = town.user()
    photo_id = town.waiting_photo(owner).id
    outcomes = run_together(*[lambda: graph.photos.complete(photo_id, owner_id=owner)] * 16)
    assert not errors(outcomes)
    answers = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert {photo.state for photo, _ in answers} == {"processing"}
    (event,) = (event for _, event in answers if event)
    assert (event.kind, event.subject_id, event.author_id) == (
        "photo-uploaded",
        photo_id,
        owner,
    )


def test_a_photo_of_another_owner_cannot_be_completed(graph: Graph, town: Town) -> None:
    owner, other = town.users(2)
    with pytest.raises(NotFoundError):
        graph.photos.complete(town.waiting_photo(owner).id, owner_id=other)


def test_only_a_photo_in_processing_becomes_ready_or_failed(graph: Graph, town: Town) -> None:
    owner = town.user()
    photo_id = town.waiting_photo(owner).id
    assert not graph.photos.set_failed(photo_id, "truncated")
    _, event = graph.photos.complete(photo_id, owner_id=owner)
    assert event
    assert graph.photos.set_failed(photo_id, "truncated")
    assert graph.photos.set_ready(photo_id, event, width=1, height=1, blurhash="x") is False
    assert town.find_event(event.id), "its worker finishes it"
    photo = graph.photos.by_id(photo_id, owner_id=owner)
    assert (photo.state, photo.failure_code) == ("failed", "truncated")
    photo_id = town.waiting_photo(owner).id
    _, event = graph.photos.complete(photo_id, owner_id=owner)
    assert event
    fenced = replace(event, epoch=7)
    assert graph.photos.set_ready(photo_id, fenced, width=1, height=1, blurhash="x") is None
    assert graph.photos.set_ready(photo_id, event, width=1080, height=720, blurhash="L00000")
    assert town.find_event(event.id) is None
    ready = graph.photos.by_id(photo_id, owner_id=owner)
    assert (ready.state, ready.width, ready.height, ready.blurhash) == (
        "ready",
        1080,
        720,
        "L00000",
    )


def test_an_owner_lists_photos_newest_first_by_state_and_without_deleted_ones(
    graph: Graph, town: Town
) -> None:
    owner, other = town.users(2)
    states = ["ready", "waiting", "failed", "deleted", "ready", "processing"]
    photos = [photo_in(graph, town, owner, state) for state in states]
    photo_in(graph, town, other, "ready")
    post, _event = town.post(owner, photo_ids=[photos[0]])

    def walk(state: str | None) -> list[Photo]:
        found, before = list[Photo](), MAX_ID
        while True:
            page, next_id = graph.photos.by_owner(owner, state=state, before=before, limit=2)
            found += page
            if next_id is None:
                return found
            assert len(page) == 2
            before = next_id

    everything = [photo for photo, state in zip(photos, states, strict=True) if state != "deleted"]
    assert [photo.id for photo in walk(None)] == sorted(everything, reverse=True)
    assert [photo.id for photo in walk("ready")] == [photos[4], photos[0]]
    assert [photo.post_id for photo in walk("ready")] == [None, post]
    assert walk("expired") == []


def test_a_deleted_photo_is_absent_for_its_owner_and_known_to_workers(
    graph: Graph, town: Town
) -> None:
    owner = town.user()
    photo_id = photo_in(graph, town, owner, "ready")
    event = graph.photos.delete(photo_id, owner_id=owner)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("photo-deleted", photo_id, owner)
    assert graph.photos.delete(photo_id, owner_id=owner) is None
    with pytest.raises(NotFoundError):
        graph.photos.by_id(photo_id, owner_id=owner)
    with pytest.raises(NotFoundError):
        graph.photos.complete(photo_id, owner_id=owner)
    with pytest.raises(NotFoundError):
        graph.photos.delete(photo_id, owner_id=town.user())
    with pytest.raises(PhotosNotPostableError) as refused:
        town.create_post(owner, photo_ids=[photo_id])
    assert refused.value.states == {}, "as if there were no such photo"
    assert state_of(graph, photo_id) == "deleted"


def test_a_photo_of_a_post_and_of_a_deleted_post_cannot_be_deleted(
    graph: Graph, town: Town
) -> None:
    owner = town.user()
    photo_id = town.photo(owner)
    post, _event = town.post(owner, photo_ids=[photo_id])
    with pytest.raises(PhotoPostedError):
        graph.photos.delete(photo_id, owner_id=owner)
    graph.posts.delete(post, author_id=owner)
    with pytest.raises(PhotoPostedError):
        graph.photos.delete(photo_id, owner_id=owner)
    assert state_of(graph, photo_id) == "ready"


def test_a_photo_is_posted_or_deleted_but_never_both(graph: Graph, town: Town) -> None:
    owner = town.user()
    for _ in range(20):
        photo_id = town.photo(owner)
        posted, deleted = run_together(
            partial(town.create_post, owner, photo_ids=[photo_id]),
            partial(graph.photos.delete, photo_id, owner_id=owner),
        )
        assert isinstance(posted, Event) != isinstance(deleted, Event), (posted, deleted)
        assert state_of(graph, photo_id) == ("ready" if isinstance(posted, Event) else "deleted")


def test_expired_keys_are_deleted(graph: Graph, town: Town) -> None:
    owner = town.user()
    for key in ("old", "new"):
        town.waiting_photo(owner, key=key, fingerprint="f")
    town.query(
        "MATCH (key:IdempotencyKey {user_id: $id, key: 'old'}) SET key.expires_at = 1", id=owner
    )
    while graph.idempotency_keys.delete_expired(1000):
        pass
    rows = town.query(
        "MATCH (key:IdempotencyKey {user_id: $id}) RETURN collect(key.key) AS keys", id=owner
    )
    assert rows == [{"keys": ["new"]}]
