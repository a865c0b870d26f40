import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from graph import Graph
from graph.errors import KeyInFlightError, KeyTakenError, NotFoundError
from graph.events import Event
from graph.ids import new_id, to_ms
from graph.photos import Photo
from tests.support.concurrency import errors, run_together
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


def test_a_photo_without_an_upload_is_overdue_and_expires_once(graph: Graph, town: Town) -> None:
    owner = town.user()
    long_ago = new_id(to_ms(datetime(2024, 1, 2, tzinfo=UTC)))
    town.query(
        "CREATE (:Photo {id: $id, owner_id: $owner, path: 'old', state: 'waiting', "
        "content_type: 'image/png', size_bytes: 1, expires_at: 0})",
        id=long_ago,
        owner=owner,
    )
    fresh = town.waiting_photo(owner).id
    day_ago = new_id(to_ms(datetime.now(UTC) - timedelta(days=1)))
    overdue = [photo.id for photo in graph.photos.overdue(day_ago, 1000)]
    assert long_ago in overdue
    assert overdue == sorted(overdue)
    assert fresh not in overdue
    assert graph.photos.set_expired([long_ago, town.photo(owner)]) == [long_ago]
    assert graph.photos.set_expired([long_ago]) == []


def test_a_photo_is_completed_or_expires_but_never_both(graph: Graph, town: Town) -> None:
    owner = town.user()
    for _ in range(10):
        photo_id = town.waiting_photo(owner).id
        completed, expired = run_together(
            partial(graph.photos.complete, photo_id, owner_id=owner),
            partial(graph.photos.set_expired, [photo_id]),
        )
        assert isinstance(completed, tuple)
        assert isinstance(expired, list)
        assert isinstance(completed[1], Event) != bool(expired)


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
