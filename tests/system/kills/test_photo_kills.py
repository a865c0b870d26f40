"""Photos whose worker, or its decoding child, is killed; uploads that are cut (9, 37 and 38)."""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import pytest

from graph import Graph
from graph.photos import Photo
from storage import Storage
from tests.support.eventually import B_SECONDS, eventually
from tests.support.images import encoded, photograph, quadrants
from tests.support.stage import Stage
from tests.support.uploads import COMPLETE, object_names, put_upload, upload_photo
from tests.system.kills.processes import Processes, ProcessTree

PICTURE = (4000, 6000)
"""24 megapixels as WebP: the child decodes it for a second. Of a JPEG it reads only a part."""
CONTENT_TYPE = "image/webp"


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(quadrants(*PICTURE), "WEBP", quality=60, method=0)


def state(graph: Graph, photo: Photo) -> str:
    latest = graph.photos.get(photo.id)
    assert latest
    return latest.state


def decoding_child(worker: ProcessTree) -> psutil.Process | None:
    """The child of the worker's fork server."""
    try:
        for server in psutil.Process(worker.pid).children():
            for child in server.children():
                return child
    except psutil.NoSuchProcess:
        pass
    return None


def kill_child(worker: ProcessTree) -> None:
    child = eventually(lambda: decoding_child(worker), every=0.005)
    assert child
    child.kill()


def kill_both(worker: ProcessTree) -> None:
    eventually(lambda: decoding_child(worker), every=0.005)
    worker.kill()


# Case 9
@pytest.mark.parametrize("kill", [kill_child, kill_both])
def test_a_photo_whose_decoding_was_killed_becomes_ready(
    stage: Stage,
    processes: Processes,
    worker_storage: Storage,
    picture: bytes,
    kill: Callable[[ProcessTree], None],
) -> None:
    owner = stage.town.user()
    photo, event = upload_photo(stage.graph, worker_storage, owner, picture, CONTENT_TYPE)
    worker = processes.start_worker("photos")
    worker_storage.queues.wake(event)
    kill(worker)
    if kill is kill_child:
        eventually(lambda: worker.outcomes(event.id) == ["failed"])
        assert worker.is_alive()
        pending = stage.town.find_event(event.id)
        assert pending
        assert pending.attempts == 1, "one try"
    else:
        worker = processes.start_worker("photos")
    processes.start_worker("sweeper")
    eventually(lambda: state(stage.graph, photo) == "ready")
    eventually(lambda: stage.town.find_event(event.id) is None)
    assert worker.outcomes(event.id)[-1] == "done"


# Case 38
def test_a_photo_whose_worker_was_killed_between_two_renditions_becomes_ready_later(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    owner = stage.town.user()
    photo, event = upload_photo(stage.graph, worker_storage, owner, photograph(1200, 900))
    worker = processes.start_worker("photos")
    hold = worker.to.s3.hold(f"/{photo.path}/640.jpg".encode())
    worker_storage.queues.wake(event)
    hold.wait(B_SECONDS)
    worker.kill()
    worker.to.s3.cut()  # the held bytes never arrive
    hold.release()
    assert state(stage.graph, photo) == "processing"
    assert "media/*/640.jpg" not in object_names(worker_storage.photos, photo.path)
    processes.start_worker("photos")
    processes.start_worker("sweeper")
    eventually(lambda: state(stage.graph, photo) == "ready")
    eventually(lambda: stage.town.find_event(event.id) is None)
    assert object_names(worker_storage.photos, photo.path) == COMPLETE


# Case 37
def test_an_upload_cut_in_the_middle_stores_nothing(
    stage: Stage, storage: Storage, picture: bytes
) -> None:
    photo = stage.town.waiting_photo(
        stage.town.user(), content_type=CONTENT_TYPE, size_bytes=len(picture)
    )
    presigned = storage.photos.presign_upload(
        photo.path, content_type=CONTENT_TYPE, size_bytes=len(picture), checksum_sha256=None
    )
    url = urlsplit(presigned.url)
    lines = [f"PUT {url.path}?{url.query} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {value}" for name, value in presigned.headers.items()]
    if "content-length" not in {name.lower() for name in presigned.headers}:
        lines.append(f"Content-Length: {len(picture)}")
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=10) as upload:
        upload.sendall("\r\n".join([*lines, "", ""]).encode() + picture[: len(picture) // 2])
    assert storage.photos.read_upload(photo.path, limit_bytes=len(picture)) is None
    put_upload(storage, photo.path, picture, CONTENT_TYPE)
    assert storage.photos.read_upload(photo.path, limit_bytes=len(picture)) == picture
