"""Photos that nobody posts expire with their objects, on the real graph and S3."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from environs import Env
from structlog.testing import capture_logs

from drill.support.proxy import Proxy
from graph import Graph
from graph.photos import Photo
from storage import Storage, StorageSettings, StorageUnavailableError
from storage.photos import Photos
from tests.support import images
from tests.support.concurrency import run_together
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.support.town import Town
from tests.support.uploads import (
    COMPLETE,
    Upload,
    answers,
    object_names,
    private_bucket,
    put_upload,
)
from workers.photos import expiry, processing
from workers.sweeper import Sweeper


def expire(graph: Graph, storage: Storage, *, seconds: float = 30.0) -> int:
    return expiry.expire_photos(graph, storage, until=time.monotonic() + seconds)


def state_of(graph: Graph, photo: Photo | int) -> str | None:
    found = graph.photos.get(photo if isinstance(photo, int) else photo.id)
    return found.state if found else None


@pytest.fixture
def town(graph: Graph) -> Town:
    return Town(graph)


@pytest.fixture
def private_storage(storage: Storage) -> Iterator[Storage]:
    """The storage with a bucket of its own, whose walk begins anew."""
    with private_bucket(StorageSettings.from_env(Env())) as photos:
        storage.sweep_positions.move(expiry.WALK, None)
        yield replace(storage, photos=photos)
        storage.sweep_positions.move(expiry.WALK, None)


# Security 16
def test_a_ready_photo_that_nobody_posts_expires_with_its_objects(
    graph: Graph, storage: Storage, town: Town, upload: Upload
) -> None:
    (photo, event), (fresh, event_of_fresh) = upload(images.jpeg()), upload(images.jpeg())
    processing.process(graph, storage, event)
    processing.process(graph, storage, event_of_fresh)
    town.end_photo_times(photo.id)
    expire(graph, storage)
    assert (state_of(graph, photo), state_of(graph, fresh)) == ("expired", "ready")
    assert object_names(storage.photos, photo.path) == set()
    assert object_names(storage.photos, fresh.path) == COMPLETE
    assert town.photo_times(photo.id) == {"unposted_until": 168.0}


def test_an_upload_that_comes_after_its_photo_has_expired_is_removed(
    graph: Graph, storage: Storage, town: Town
) -> None:
    photo = town.waiting_photo(town.user(), size_bytes=9)
    town.query("MATCH (p:Photo {id: $id}) SET p.unposted_until = 1", id=photo.id)
    expire(graph, storage)
    assert state_of(graph, photo) == "expired"
    put_upload(storage, photo.path, b"some late")
    town.end_photo_times(photo.id)
    expire(graph, storage)
    assert object_names(storage.photos, photo.path) == set()


def test_a_photo_whose_processing_takes_a_week_expires_and_its_event_leaves_nothing(
    graph: Graph, storage: Storage, town: Town, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    town.end_photo_times(photo.id)
    expire(graph, storage)
    put_upload(storage, photo.path, images.jpeg())
    storage.photos.put_rendition(photo.path, 640, b"of a worker that was paused")
    processing.process(graph, storage, event)
    assert state_of(graph, photo) == "expired"
    assert object_names(storage.photos, photo.path) == set()


def test_pages_follow_one_another_until_one_is_short_or_the_time_is_over(
    graph: Graph, storage: Storage, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "PAGE", 2)
    expire(graph, storage)
    photos = town.photos(town.user(), 5)
    town.end_photo_times(*photos)
    assert expire(graph, storage, seconds=0) == 0
    assert {state_of(graph, photo) for photo in photos} == {"ready"}
    assert expire(graph, storage) == 10, "each expires, and each has its objects removed"
    assert {state_of(graph, photo) for photo in photos} == {"expired"}


def test_several_sweepers_share_the_photos(
    graph: Graph, storage: Storage, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "PAGE", 3)
    photos = town.photos(town.user(), 20)
    town.end_photo_times(*photos)
    outcomes = run_together(*[partial(expire, graph, storage)] * 3)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    assert {state_of(graph, photo) for photo in photos} == {"expired"}
    assert all(town.photo_times(photo) == {"unposted_until": 168.0} for photo in photos)


def test_photos_expire_while_s3_is_down_and_their_objects_are_removed_later(
    graph: Graph, proxied_storage: Storage, proxy: Proxy, town: Town, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    processing.process(graph, proxied_storage, event)
    town.end_photo_times(photo.id)
    with proxy.outage(), pytest.raises(StorageUnavailableError):
        expire(graph, proxied_storage)
    assert state_of(graph, photo) == "expired"
    assert object_names(proxied_storage.photos, photo.path) == COMPLETE
    eventually(lambda: answers(proxied_storage))  # the circuit of S3 lets calls through again
    expire(graph, proxied_storage)
    assert object_names(proxied_storage.photos, photo.path) == set()


def test_a_photo_whose_object_s3_does_not_remove_delays_no_other(
    graph: Graph, storage: Storage, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = town.photos(town.user(), 2)
    try_to_delete = storage.photos._try_to_delete

    def refuse_one(keys: list[str]) -> dict[str, str]:
        refused = f"originals/test-{bad}"
        assert refused in keys
        try_to_delete([key for key in keys if key != refused])
        return {refused: "InternalError"}

    expire(graph, storage)
    town.end_photo_times(bad, good)
    monkeypatch.setattr(storage.photos, "_try_to_delete", refuse_one)
    with capture_logs() as lines:
        expire(graph, storage)
    assert town.photo_times(good) == {"unposted_until": 168.0}
    assert town.photo_times(bad) == {"unposted_until": 168.0, "objects_until": 1.0}
    assert "objects not removed" in [line["event"] for line in lines]


def test_the_walk_over_uploads_removes_old_ones_and_goes_on_where_it_stopped(
    private_storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 48: it reads a page at a time, also after a restart, and begins anew at its end."""
    photos = private_storage.photos
    paths = [f"path-{number}" for number in range(7)]
    for path in paths:
        put_upload(private_storage, path, b"abandoned")
    begun_after, until = [], time.monotonic()

    def sweep(*arguments: Any, after_key: str) -> Any:
        begun_after.append(after_key)
        page = Photos.sweep_incoming(photos, *arguments, after_key=after_key, limit=2)
        if len(begun_after) in {1, 3}:  # the last page of a step: S3 is slow
            time.sleep(max(0.0, until - time.monotonic()))
        return page

    monkeypatch.setattr(photos, "sweep_incoming", sweep)
    monkeypatch.setattr(expiry, "INCOMING_RETENTION", timedelta(seconds=-60))
    removed = []
    for _ in range(3):
        until = time.monotonic() + 3
        removed.append(expiry.reconcile_incoming(private_storage, until=until))
    assert removed == [2, 4, 1]
    assert begun_after == ["", "incoming/path-1", "incoming/path-3", "incoming/path-5"]
    assert [object_names(photos, path) for path in paths] == [set()] * 7
    assert private_storage.sweep_positions.read(expiry.WALK) == ""


def test_uploads_that_photos_can_need_are_left_by_the_walk(private_storage: Storage) -> None:
    put_upload(private_storage, "young", b"waiting")
    assert expiry.reconcile_incoming(private_storage, until=time.monotonic() + 30) == 0
    assert object_names(private_storage.photos, "young") == {"incoming/*"}


def test_more_uploads_than_a_step_can_list_delay_no_other_step(
    stage: Stage, private_storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 48: S3 lists slowly; the step ends within its time, and the others are reached."""
    monkeypatch.setattr("workers.sweeper.STEP_SECONDS", 0.3)
    storage, photos = private_storage, private_storage.photos
    for number in range(8):
        put_upload(storage, f"path-{number}", b"abandoned")

    def sweep(*arguments: Any, after_key: str, **_: Any) -> Any:
        time.sleep(0.1)
        return Photos.sweep_incoming(photos, *arguments, after_key=after_key, limit=1)

    monkeypatch.setattr(photos, "sweep_incoming", sweep)
    owner = stage.town.user()
    stage.town.query(
        "CREATE (:IdempotencyKey {user_id: $id, key: 'k', fingerprint: 'f', result_id: 1,"
        " expires_at: 0})",
        id=owner,
    )
    [photo] = stage.town.photos(owner, 1)
    stage.town.end_photo_times(photo)
    a_sweeper = Sweeper(stage.graph, storage)
    began = time.monotonic()
    a_sweeper.clear()
    assert time.monotonic() - began < 20
    position = storage.sweep_positions.read(expiry.WALK)
    assert "incoming/path-0" <= position < "incoming/path-7"
    assert state_of(stage.graph, photo) == "expired"
    assert stage.graph.idempotency_keys.by_key(owner, "k") is None
    assert not stage.town.query("MATCH (k:IdempotencyKey {user_id: $id}) RETURN k.key", id=owner)
    a_sweeper.clear()
    assert storage.sweep_positions.read(expiry.WALK) > position


def test_the_objects_of_a_deleted_photo_are_removed_by_its_event(
    graph: Graph, storage: Storage, town: Town, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    processing.process(graph, storage, event)
    deletion = graph.photos.delete(photo.id, owner_id=photo.owner_id)
    assert deletion
    for _ in range(2):
        expiry.remove_deleted(graph, storage, deletion)
        assert object_names(storage.photos, photo.path) == set()
    put_upload(storage, photo.path, b"sent late with the old URL")
    town.end_photo_times(photo.id)
    town.query("MATCH (p:Photo {id: $id}) SET p.unposted_until = 9e15", id=photo.id)
    expire(graph, storage)
    assert object_names(storage.photos, photo.path) == set()
