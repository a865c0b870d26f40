"""Uploaded photos become ready or failed, on the real graph and S3."""

import base64
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import requests

from drill.support.proxy import Proxy
from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import Event
from graph.ids import new_id
from graph.photos import Photo
from storage import Storage, StorageRefusedError, StorageUnavailableError
from tests.support import images
from tests.support.eventually import eventually
from tests.support.outbox import claim, release, run
from tests.support.town import Town
from tests.support.uploads import COMPLETE, Upload, answers, object_names, put_upload
from workers import leases
from workers.errors import FencedError
from workers.photos import processing
from workers.photos.confinement import Limits
from workers.photos.decoding import render_in_child
from workers.photos.errors import DecodingInterruptedError
from workers.photos.imaging import RenditionSet


def reload(graph: Graph, photo: Photo) -> Photo:
    found = graph.photos.get(photo.id)
    assert found is not None
    return found


def final_state(graph: Graph, photo: Photo) -> tuple[str, str | None]:
    found = reload(graph, photo)
    return found.state, found.failure_code


def in_background(graph: Graph, storage: Storage, event: Event) -> "Future[bool]":
    pool = ThreadPoolExecutor(max_workers=1)
    future = pool.submit(processing.process, graph, storage, event)
    pool.shutdown(wait=False)
    return future


def find(graph: Graph, event: Event) -> Event:
    """The event as it is now."""
    found = Town(graph).find_event(event.id)
    assert found
    return found


def claimed_by_another(graph: Graph, event: Event) -> Event:
    """Claim the event as another worker does, after its lease."""
    Town(graph).end_lease(event.id)
    claimed = claim(graph, event.id, event.epoch)
    assert claimed is not None
    return claimed


def test_a_photo_from_a_phone_becomes_ready_upright_and_without_metadata(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    data = images.photograph(2400, 1600)
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    photo, event = upload(data, checksum=checksum)
    processing.process(graph, storage, event)
    ready = reload(graph, photo)
    assert (ready.state, ready.failure_code) == ("ready", None)
    assert (ready.width, ready.height) == (2400, 1600)
    assert ready.blurhash
    assert object_names(storage.photos, photo.path) == COMPLETE
    for url in storage.photos.rendition_urls(photo.path).values():
        rendition = requests.get(url, timeout=10).content
        assert images.SECRET not in rendition
        assert images.looks_right(rendition, within=25)


def test_the_original_is_stored_byte_for_byte(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    data = images.heic()
    photo, event = upload(data, "image/heic")
    processing.process(graph, storage, event)
    stored = storage.photos._client.get_object(
        Bucket=storage.photos._bucket, Key=f"originals/{photo.path}"
    )
    assert stored["Body"].read() == data
    assert stored["ContentType"] == "image/heic"


# Security 17
@pytest.mark.parametrize(
    "case",
    [
        (b"<html>no photo</html>", "image/jpeg", "not-an-image"),
        (images.jpeg()[:600], "image/jpeg", "truncated"),
        (images.jpeg(31, 31), "image/jpeg", "too-small"),
        (images.jpeg(), "image/png", "wrong-content-type"),
        (images.large_png(12_000), "image/png", "too-many-pixels"),
        (images.crashing_heic(), "image/heic", "processing-failed"),
        (None, "image/jpeg", "nothing-uploaded"),
    ],
)
def test_a_refused_photo_has_failed_with_its_code_and_leaves_no_object(
    graph: Graph, storage: Storage, upload: Upload, case: tuple[bytes | None, str, str]
) -> None:
    data, content_type, code = case
    photo, event = upload(data, content_type)
    processing.process(graph, storage, event)
    assert final_state(graph, photo) == ("failed", code)
    assert object_names(storage.photos, photo.path) == set()


def test_a_photo_with_other_bytes_than_announced_has_failed(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    data = images.jpeg()
    for announced, code in (
        ({"checksum": base64.b64encode(bytes(32)).decode()}, "wrong-checksum"),
        ({"size_bytes": len(data) + 1}, "truncated"),
        ({"size_bytes": len(data) - 1}, "too-large"),
    ):
        photo, event = upload(data, **announced)
        processing.process(graph, storage, event)
        assert final_state(graph, photo) == ("failed", code)
        assert object_names(storage.photos, photo.path) == set()


def test_an_upload_that_vanished_before_processing_has_failed(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    storage.photos.remove_upload(photo.path)
    processing.process(graph, storage, event)
    assert final_state(graph, photo) == ("failed", "nothing-uploaded")


def test_processing_again_changes_nothing(graph: Graph, storage: Storage, upload: Upload) -> None:
    photo, event = upload(images.jpeg())
    processing.process(graph, storage, event)
    before = reload(graph, photo)
    processing.process(graph, storage, event)
    assert reload(graph, photo) == before
    assert object_names(storage.photos, photo.path) == COMPLETE


# Security 14
def test_a_photo_replaced_after_completion_does_not_change(
    graph: Graph, storage: Storage, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    processing.process(graph, storage, event)
    put_upload(storage, photo.path, images.jpeg(400, 400))
    processing.process(graph, storage, event)
    assert reload(graph, photo).width == 96
    assert object_names(storage.photos, photo.path) == COMPLETE
    url = storage.photos.rendition_urls(photo.path)["1080"]
    assert images.looks_right(requests.get(url, timeout=10).content)


# Security 14
def test_a_photo_replaced_while_it_is_decoded_is_stored_as_it_was_examined(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    data = images.jpeg()
    photo, event = upload(data)
    hold = proxy.hold(f"/originals/{photo.path}".encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    put_upload(storage, photo.path, images.jpeg(400, 400))
    hold.release()
    running.result(timeout=20)
    stored = storage.photos._client.get_object(
        Bucket=storage.photos._bucket, Key=f"originals/{photo.path}"
    )
    assert stored["Body"].read() == data
    assert final_state(graph, photo) == ("ready", None)
    assert object_names(storage.photos, photo.path) == COMPLETE


@pytest.mark.parametrize("step", ["/originals/{}", "/{}/1080.jpg", "/{}/640.jpg", "/{}/320.jpg"])
def test_an_outage_of_s3_at_any_step_leaves_a_photo_processing_until_the_next_job(
    graph: Graph, proxied_storage: Storage, proxy: Proxy, upload: Upload, step: str
) -> None:
    photo, event = upload(images.jpeg())
    hold = proxy.hold(step.format(photo.path).encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    proxy.down()
    hold.release()
    with pytest.raises(StorageUnavailableError):
        running.result(timeout=30)
    assert final_state(graph, photo) == ("processing", None)
    proxy.up()
    assert object_names(proxied_storage.photos, photo.path) < COMPLETE | {"incoming/*"}
    again = claimed_by_another(graph, event)
    eventually(lambda: answers(proxied_storage), seconds=5)
    processing.process(graph, proxied_storage, again)
    assert final_state(graph, photo) == ("ready", None)
    assert object_names(proxied_storage.photos, photo.path) == COMPLETE


@pytest.mark.parametrize(
    ("store", "method", "error", "outcome", "tries"),
    [
        ("graph", "set_ready", GraphUnavailableError(), "outage", 0),
        ("storage", "put_rendition", StorageRefusedError("s3", "AccessDenied"), "failed", 1),
        ("storage", "read_upload", StorageRefusedError("s3", "InvalidObjectState"), "failed", 1),
    ],
)
def test_a_refusal_of_s3_counts_as_a_try_and_an_outage_of_the_graph_does_not(
    graph: Graph,
    storage: Storage,
    upload: Upload,
    monkeypatch: pytest.MonkeyPatch,
    *,
    store: str,
    method: str,
    error: Exception,
    outcome: str,
    tries: int,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    photo, event = upload(images.jpeg())
    monkeypatch.setattr({"graph": graph.photos, "storage": storage.photos}[store], method, fail)
    release(graph, event.id, event.epoch, delay_seconds=0)
    assert run(graph, storage, event.id, event.epoch + 1) == outcome
    assert final_state(graph, photo) == ("processing", None)
    assert claimed_by_another(graph, find(graph, event)).attempts == tries + 1


def test_an_outage_of_s3_while_the_upload_is_read_leaves_a_photo_processing(
    graph: Graph, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.photograph(1200, 900))
    with proxy.outage(), pytest.raises(StorageUnavailableError):
        processing.process(graph, proxied_storage, event)
    assert final_state(graph, photo) == ("processing", None)


def test_an_outage_while_the_upload_is_removed_leaves_the_rest_to_the_next_job(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    hold = proxy.hold(f"DELETE /{storage.photos._bucket}/incoming/{photo.path}".encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    proxy.down()
    hold.release()
    with pytest.raises(StorageUnavailableError):
        running.result(timeout=30)
    assert final_state(graph, photo) == ("processing", None)
    assert object_names(storage.photos, photo.path) == COMPLETE | {"incoming/*"}
    processing.process(graph, storage, event)
    assert final_state(graph, photo) == ("ready", None)
    assert object_names(storage.photos, photo.path) == COMPLETE


def test_a_photo_whose_worker_died_after_it_removed_the_upload_is_made_of_its_original(
    graph: Graph, storage: Storage, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, event = upload(images.jpeg())
    with monkeypatch.context() as patch:
        patch.setattr(graph.photos, "set_ready", lambda *_, **__: None)  # the worker dies here
        with pytest.raises(FencedError):
            processing.process(graph, storage, event)
    assert object_names(storage.photos, photo.path) == COMPLETE
    processing.process(graph, storage, claimed_by_another(graph, event))
    assert final_state(graph, photo) == ("ready", None)
    assert object_names(storage.photos, photo.path) == COMPLETE


def test_an_old_lease_is_renewed_before_the_next_object(
    graph: Graph, storage: Storage, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, event = upload(images.jpeg())

    def render_and_lose_lease(data: bytes, declared: str) -> RenditionSet:
        claimed_by_another(graph, event)
        return render_in_child(data, declared)

    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(processing, "render_in_child", render_and_lose_lease)
    with pytest.raises(FencedError):
        processing.process(graph, storage, event)
    assert object_names(storage.photos, photo.path) == {"incoming/*"}


def test_a_fenced_worker_stops_and_leaves_the_photo_intact(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    hold = proxy.hold(f"/{photo.path}/1080.jpg".encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    processing.process(graph, storage, claimed_by_another(graph, event))
    hold.release()
    with pytest.raises(FencedError):
        running.result(timeout=20)
    assert final_state(graph, photo) == ("ready", None)
    assert object_names(storage.photos, photo.path) == COMPLETE


def test_a_late_object_of_a_failed_photo_is_removed(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    hold = proxy.hold(f"/{photo.path}/1080.jpg".encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    claimed_by_another(graph, event)
    graph.photos.set_failed(photo.id, "processing-failed")
    storage.photos.remove(photo.path)
    hold.release()
    with pytest.raises(FencedError):
        running.result(timeout=20)
    assert object_names(storage.photos, photo.path) == set()


def test_a_picture_that_takes_too_much_cpu_time_has_failed(
    graph: Graph, storage: Storage, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        processing,
        "render_in_child",
        partial(render_in_child, limits=Limits(cpu_seconds=1, wall_seconds=60.0)),
    )
    photo, event = upload(images.scan_bomb(2_000))
    processing.process(graph, storage, event)
    assert final_state(graph, photo) == ("failed", "processing-failed")
    assert object_names(storage.photos, photo.path) == set()


def test_a_picture_whose_decoding_is_always_interrupted_has_failed_after_five_tries(
    graph: Graph, storage: Storage, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(render_in_child, limits=Limits(wall_seconds=0.3))
    monkeypatch.setattr(processing, "render_in_child", impatient)
    photo, event = upload(images.scan_bomb(2_000))
    for tries in range(processing.MAX_TRIES):
        assert event.attempts == tries + 1
        with pytest.raises(DecodingInterruptedError):
            processing.process(graph, storage, event)
        assert final_state(graph, photo) == ("processing", None)
        event = claimed_by_another(graph, event)
    processing.process(graph, storage, event)
    assert final_state(graph, photo) == ("failed", "processing-failed")
    assert object_names(storage.photos, photo.path) == set()


@pytest.mark.parametrize("step", ["/originals/{}", "/{}/1080.jpg", "/{}/320.jpg"])
def test_a_photo_deleted_while_it_is_processed_leaves_nothing_behind(
    graph: Graph, proxied_storage: Storage, proxy: Proxy, upload: Upload, step: str
) -> None:
    photo, event = upload(images.jpeg())
    hold = proxy.hold(step.format(photo.path).encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    deletion = graph.photos.delete(photo.id, owner_id=photo.owner_id)
    assert deletion
    hold.release()
    running.result(timeout=20)
    assert final_state(graph, photo) == ("deleted", None)
    assert object_names(proxied_storage.photos, photo.path) == set()
    assert run(graph, proxied_storage, deletion.id, deletion.epoch) == "done"


def test_a_late_object_of_a_deleted_photo_is_removed_by_its_fenced_worker(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    hold = proxy.hold(f"/{photo.path}/1080.jpg".encode())
    running = in_background(graph, proxied_storage, event)
    hold.wait()
    graph.photos.delete(photo.id, owner_id=photo.owner_id)
    processing.process(graph, storage, claimed_by_another(graph, event))
    assert object_names(storage.photos, photo.path) == set()
    hold.release()
    with pytest.raises(FencedError):
        running.result(timeout=20)
    assert object_names(storage.photos, photo.path) == set()


def test_the_event_of_a_missing_photo_does_nothing(graph: Graph, storage: Storage) -> None:
    absent = Event(
        id=new_id(), kind="photo-uploaded", shard=0, subject_id=new_id(), author_id=new_id(),
        epoch=1, cursor=0, attempts=1,
    )  # fmt: skip
    processing.process(graph, storage, absent)


def test_a_job_brings_a_photo_to_its_final_state_and_finishes_the_event(
    graph: Graph, storage: Storage, proxied_storage: Storage, proxy: Proxy, upload: Upload
) -> None:
    photo, event = upload(images.jpeg())
    release(graph, event.id, event.epoch, delay_seconds=0)
    with proxy.outage():
        assert run(graph, proxied_storage, event.id, event.epoch + 1) == "outage"
    assert final_state(graph, photo) == ("processing", None)
    Town(graph).end_lease(event.id)
    again = find(graph, event)
    assert again.attempts == 0, "an outage does not count as a try"
    assert run(graph, storage, event.id, again.epoch) == "done"
    assert final_state(graph, photo) == ("ready", None)
    assert run(graph, storage, event.id, again.epoch + 1) == "stale"
