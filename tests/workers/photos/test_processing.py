"""Uploaded photos brought to ready or failed, on the real graph and the real S3."""

import base64
import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
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
from tests.support.uploads import Uploaded, put
from workers import outbox
from workers.errors import FencedError
from workers.photos import processing
from workers.photos.decoding import DecodingInterruptedError, Limits, render_apart
from workers.photos.imaging import Rendered


def now(graph: Graph, photo: Photo) -> Photo:
    found = graph.photos.get(photo.id)
    assert found is not None
    return found


def outcome(graph: Graph, photo: Photo) -> tuple[str, str | None]:
    found = now(graph, photo)
    return found.state, found.failure_code


def objects_of(storage: Storage, photo: Photo) -> set[str]:
    """The names of the photo's objects in S3, without its path."""
    client, bucket, path = storage.photos._client, storage.photos._bucket, photo.path
    return {
        entry["Key"].replace(path, "*")
        for prefix in (f"incoming/{path}", f"media/{path}/", f"originals/{path}")
        for entry in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    }


def in_background(graph: Graph, storage: Storage, event: Event) -> "Future[None]":
    pool = ThreadPoolExecutor(max_workers=1)
    future = pool.submit(processing.process, graph, storage, event)
    pool.shutdown(wait=False)
    return future


def taken_over(graph: Graph, event: Event) -> Event:
    """The event as another worker has claimed it."""
    graph.events.release(event.id, event.epoch, delay_seconds=0)
    claimed = graph.events.claim(event.id, event.epoch)
    assert claimed is not None
    return claimed


COMPLETE = {"originals/*", "media/*/1080.jpg", "media/*/640.jpg", "media/*/320.jpg"}


def test_a_photo_from_a_phone_becomes_ready_upright_and_silent(
    graph: Graph, storage: Storage, uploaded: Uploaded
) -> None:
    data = images.photograph(2400, 1600)
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    photo, event = uploaded(data, checksum=checksum)
    processing.process(graph, storage, event)
    ready = now(graph, photo)
    assert (ready.state, ready.failure_code) == ("ready", None)
    assert (ready.width, ready.height) == (2400, 1600)
    assert ready.blurhash
    assert objects_of(storage, photo) == COMPLETE
    for url in storage.photos.rendition_urls(photo.path).values():
        rendition = requests.get(url, timeout=10).content
        assert images.SECRET not in rendition
        assert images.looks_right(rendition, within=25)


def test_the_original_is_kept_byte_for_byte(
    graph: Graph, storage: Storage, uploaded: Uploaded
) -> None:
    data = images.heic()
    photo, event = uploaded(data, "image/heic")
    processing.process(graph, storage, event)
    kept = storage.photos._client.get_object(
        Bucket=storage.photos._bucket, Key=f"originals/{photo.path}"
    )
    assert kept["Body"].read() == data
    assert kept["ContentType"] == "image/heic"


@pytest.mark.parametrize(
    "case",
    [
        (b"<html>no photo</html>", "image/jpeg", "not-an-image"),
        (images.jpeg()[:600], "image/jpeg", "truncated"),
        (images.jpeg(31, 31), "image/jpeg", "too-small"),
        (images.jpeg(), "image/png", "wrong-content-type"),
        (images.bomb(12_000), "image/png", "too-many-pixels"),
        (images.crashing(), "image/heic", "processing-failed"),
        (None, "image/jpeg", "nothing-uploaded"),
    ],
)
def test_what_is_refused_has_failed_with_its_code_and_leaves_no_object(
    graph: Graph, storage: Storage, uploaded: Uploaded, case: tuple[bytes | None, str, str]
) -> None:
    data, content_type, code = case
    photo, event = uploaded(data, content_type)
    processing.process(graph, storage, event)
    assert outcome(graph, photo) == ("failed", code)
    assert objects_of(storage, photo) == set()


def test_other_bytes_than_announced_have_failed(
    graph: Graph, storage: Storage, uploaded: Uploaded
) -> None:
    data = images.jpeg()
    for announced, code in (
        ({"checksum": base64.b64encode(bytes(32)).decode()}, "wrong-checksum"),
        ({"size_bytes": len(data) + 1}, "truncated"),
        ({"size_bytes": len(data) - 1}, "too-large"),
    ):
        photo, event = uploaded(data, **announced)
        processing.process(graph, storage, event)
        assert outcome(graph, photo) == ("failed", code)
        assert objects_of(storage, photo) == set()


def test_an_upload_that_vanished_before_processing_has_failed(
    graph: Graph, storage: Storage, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    storage.photos.remove_upload(photo.path)
    processing.process(graph, storage, event)
    assert outcome(graph, photo) == ("failed", "nothing-uploaded")


def test_processing_again_changes_nothing(
    graph: Graph, storage: Storage, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    processing.process(graph, storage, event)
    before = now(graph, photo)
    processing.process(graph, storage, event)
    assert now(graph, photo) == before
    assert objects_of(storage, photo) == COMPLETE


def test_a_photo_replaced_after_completion_stays_what_it_was(
    graph: Graph, storage: Storage, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    processing.process(graph, storage, event)
    put(storage, photo.path, images.jpeg(400, 400))
    processing.process(graph, storage, event)
    assert now(graph, photo).width == 96
    assert objects_of(storage, photo) == COMPLETE
    url = storage.photos.rendition_urls(photo.path)["1080"]
    assert images.looks_right(requests.get(url, timeout=10).content)


def test_a_photo_replaced_while_it_is_decoded_is_kept_as_it_was_examined(
    graph: Graph, storage: Storage, through: Storage, proxy: Proxy, uploaded: Uploaded
) -> None:
    data = images.jpeg()
    photo, event = uploaded(data)
    hold = proxy.hold(f"/originals/{photo.path}".encode())
    running = in_background(graph, through, event)
    hold.wait()
    put(storage, photo.path, images.jpeg(400, 400))
    hold.release()
    running.result(timeout=20)
    kept = storage.photos._client.get_object(
        Bucket=storage.photos._bucket, Key=f"originals/{photo.path}"
    )
    assert kept["Body"].read() == data
    assert outcome(graph, photo) == ("ready", None)
    assert objects_of(storage, photo) == COMPLETE


@pytest.mark.parametrize("step", ["/originals/{}", "/{}/1080.jpg", "/{}/640.jpg", "/{}/320.jpg"])
def test_s3_lost_at_any_step_leaves_it_processing_and_it_goes_on_later(
    graph: Graph, through: Storage, proxy: Proxy, uploaded: Uploaded, step: str
) -> None:
    photo, event = uploaded(images.jpeg())
    hold = proxy.hold(step.format(photo.path).encode())
    running = in_background(graph, through, event)
    hold.wait()
    proxy.down()
    hold.release()
    with pytest.raises(StorageUnavailableError):
        running.result(timeout=30)
    assert outcome(graph, photo) == ("processing", None)
    proxy.up()
    assert objects_of(through, photo) < COMPLETE | {"incoming/*"}
    again = taken_over(graph, event)
    assert again.cursor == 0  # an outage is no try
    processing.process(graph, through, again)
    assert outcome(graph, photo) == ("ready", None)
    assert objects_of(through, photo) == COMPLETE


def test_a_graph_lost_at_the_verdict_is_no_try_either(
    graph: Graph, storage: Storage, uploaded: Uploaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise GraphUnavailableError

    photo, event = uploaded(images.jpeg())
    monkeypatch.setattr(graph.photos, "set_ready", lost)
    with pytest.raises(GraphUnavailableError):
        processing.process(graph, storage, event)
    assert outcome(graph, photo) == ("processing", None)
    assert taken_over(graph, event).cursor == 0


def test_a_refusal_of_s3_is_a_try_or_it_would_be_tried_for_ever(
    graph: Graph, storage: Storage, uploaded: Uploaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise StorageRefusedError("s3", "AccessDenied")

    photo, event = uploaded(images.jpeg())
    monkeypatch.setattr(storage.photos, "put_rendition", refuse)
    with pytest.raises(StorageRefusedError):
        processing.process(graph, storage, event)
    assert outcome(graph, photo) == ("processing", None)
    assert taken_over(graph, event).cursor == 1


def test_s3_lost_while_the_upload_is_read_leaves_it_processing(
    graph: Graph, through: Storage, proxy: Proxy, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.photograph(1200, 900))
    with proxy.outage(), pytest.raises(StorageUnavailableError):
        processing.process(graph, through, event)
    assert outcome(graph, photo) == ("processing", None)


def test_s3_lost_at_the_tidying_is_tidied_later(
    graph: Graph, storage: Storage, through: Storage, proxy: Proxy, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    hold = proxy.hold(f"DELETE /{storage.photos._bucket}/incoming/{photo.path}".encode())
    running = in_background(graph, through, event)
    hold.wait()
    proxy.down()
    hold.release()
    with pytest.raises(StorageUnavailableError):
        running.result(timeout=30)
    assert outcome(graph, photo) == ("ready", None)
    assert objects_of(storage, photo) == COMPLETE | {"incoming/*"}
    processing.process(graph, storage, event)
    assert objects_of(storage, photo) == COMPLETE


def test_a_lease_that_has_run_for_a_while_is_renewed_before_the_next_object(
    graph: Graph, storage: Storage, uploaded: Uploaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, event = uploaded(images.jpeg())

    def overtaken(data: bytes, declared: str) -> Rendered:
        taken_over(graph, event)
        return render_apart(data, declared)

    monkeypatch.setattr(processing, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(processing, "render_apart", overtaken)
    with pytest.raises(FencedError):
        processing.process(graph, storage, event)
    assert objects_of(storage, photo) == {"incoming/*"}


def test_a_worker_that_was_overtaken_stops_and_spoils_nothing(
    graph: Graph, storage: Storage, through: Storage, proxy: Proxy, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    hold = proxy.hold(f"/{photo.path}/1080.jpg".encode())
    running = in_background(graph, through, event)
    hold.wait()
    processing.process(graph, storage, taken_over(graph, event))
    hold.release()
    with pytest.raises(FencedError):
        running.result(timeout=20)
    assert outcome(graph, photo) == ("ready", None)
    assert objects_of(storage, photo) == COMPLETE


def test_a_late_object_of_a_photo_that_has_failed_meanwhile_is_removed(
    graph: Graph, storage: Storage, through: Storage, proxy: Proxy, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    hold = proxy.hold(f"/{photo.path}/1080.jpg".encode())
    running = in_background(graph, through, event)
    hold.wait()
    taken_over(graph, event)
    graph.photos.set_failed(photo.id, "processing-failed")
    storage.photos.remove(photo.path)
    hold.release()
    with pytest.raises(FencedError):
        running.result(timeout=20)
    assert objects_of(storage, photo) == set()


def test_a_picture_that_takes_too_much_computing_has_failed(
    graph: Graph, storage: Storage, uploaded: Uploaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        processing,
        "render_apart",
        partial(render_apart, limits=Limits(cpu_seconds=1, wall_seconds=60.0)),
    )
    photo, event = uploaded(images.scan_bomb(2_000))
    processing.process(graph, storage, event)
    assert outcome(graph, photo) == ("failed", "processing-failed")
    assert objects_of(storage, photo) == set()


def test_a_picture_that_is_interrupted_each_time_has_failed_in_the_end(
    graph: Graph, storage: Storage, uploaded: Uploaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = partial(render_apart, limits=Limits(wall_seconds=0.3))
    monkeypatch.setattr(processing, "render_apart", hurried)
    photo, event = uploaded(images.scan_bomb(2_000))
    for tries in range(processing.MAX_TRIES):
        assert event.cursor == tries
        with pytest.raises(DecodingInterruptedError):
            processing.process(graph, storage, event)
        assert outcome(graph, photo) == ("processing", None)
        event = taken_over(graph, event)
    processing.process(graph, storage, event)
    assert outcome(graph, photo) == ("failed", "processing-failed")
    assert objects_of(storage, photo) == set()


def test_a_photo_that_is_gone_owes_nothing(graph: Graph, storage: Storage) -> None:
    absent = Event(
        id=new_id(), kind="photo-uploaded", subject_id=new_id(), author_id=new_id(),
        epoch=1, cursor=0, attempts=1,
    )  # fmt: skip
    processing.process(graph, storage, absent)


def test_rung_as_a_job_the_photo_is_settled_and_its_event_ends(
    graph: Graph, storage: Storage, through: Storage, proxy: Proxy, uploaded: Uploaded
) -> None:
    photo, event = uploaded(images.jpeg())
    graph.events.release(event.id, event.epoch, delay_seconds=0)
    with proxy.outage():
        assert outbox.run(graph, through, event.id, event.epoch) == "outage"
    assert outcome(graph, photo) == ("processing", None)
    rung = taken_over(graph, replace(event, epoch=event.epoch + 1))
    graph.events.release(rung.id, rung.epoch, delay_seconds=0)
    assert outbox.run(graph, storage, event.id, rung.epoch) == "done"
    assert outcome(graph, photo) == ("ready", None)
    assert outbox.run(graph, storage, event.id, rung.epoch + 1) == "stale"
