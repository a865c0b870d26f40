"""Photos whose worker, or its child, dies over them; uploads that never come whole: 9 and 37."""

import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import psutil
import pytest

from graph import Graph
from graph.events import Event
from graph.ids import new_id
from graph.photos import Photo
from storage import Storage
from tests.support.eventually import eventually
from tests.support.images import encoded, quadrants
from tests.support.stage import Stage
from tests.support.uploads import put_upload
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Ours, Site

PICTURE = (4000, 6000)
"""24 megapixels, as WebP: a second of decoding in the child. A JPEG is only read in part."""
CONTENT_TYPE = "image/webp"


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(quadrants(*PICTURE), "WEBP", quality=60, method=0)


def waiting(stage: Stage, size_bytes: int) -> Photo:
    """A photo whose upload is awaited."""
    return stage.graph.photos.create(
        photo_id=new_id(),
        owner_id=stage.town.user(),
        path=secrets.token_urlsafe(16),
        content_type=CONTENT_TYPE,
        size_bytes=size_bytes,
        checksum_sha256=None,
        alt_text=None,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        key=None,
        fingerprint=None,
    )


def uploaded(stage: Stage, storage: Storage, picture: bytes) -> tuple[Photo, Event]:
    """A photo whose bytes are there, and the event that it owes."""
    photo = waiting(stage, len(picture))
    put_upload(storage, photo.path, picture, CONTENT_TYPE)
    photo, event = stage.graph.photos.complete(photo.id, owner_id=photo.owner_id)
    assert event
    return photo, event


def state(graph: Graph, photo: Photo) -> str:
    found = graph.photos.get(photo.id)
    assert found
    return found.state


def child_of(worker: Ours) -> psutil.Process | None:
    """The process that decodes for the worker: the fork server's child."""
    try:
        for server in psutil.Process(worker.pid).children():
            for child in server.children():
                return child
    except psutil.NoSuchProcess:
        pass
    return None


def the_child(worker: Ours) -> None:
    child = eventually(lambda: child_of(worker), seconds=B_SECONDS, every=0.005)
    assert child
    child.kill()


def both(worker: Ours) -> None:
    eventually(lambda: child_of(worker), seconds=B_SECONDS, every=0.005)
    worker.kill()


# Case 9
@pytest.mark.parametrize("kill", [the_child, both])
def test_a_photo_whose_decoding_was_killed_becomes_ready_all_the_same(
    stage: Stage, site: Site, bell: Storage, picture: bytes, kill: Callable[[Ours], None]
) -> None:
    photo, event = uploaded(stage, bell, picture)
    worker = site.worker("photos")
    bell.queues.wake(event)
    kill(worker)
    if kill is the_child:
        eventually(lambda: worker.outcomes(event.id) == ["failed"])
        assert worker.alive()
        owed = stage.town.find_event(event.id)
        assert owed
        assert owed.cursor == 1, "one try"
    else:
        worker = site.worker("photos")
    site.worker("sweeper")
    eventually(lambda: state(stage.graph, photo) == "ready", seconds=B_SECONDS)
    eventually(lambda: stage.town.find_event(event.id) is None)
    assert worker.outcomes(event.id)[-1] == "done"


# Case 37
def test_an_upload_cut_in_its_middle_is_as_if_nothing_had_been_sent(
    stage: Stage, storage: Storage, picture: bytes
) -> None:
    photo = waiting(stage, len(picture))
    allowed = storage.photos.presign_upload(
        photo.path, content_type=CONTENT_TYPE, size_bytes=len(picture), checksum_sha256=None
    )
    url = urlsplit(allowed.url)
    lines = [f"PUT {url.path}?{url.query} HTTP/1.1", f"Host: {url.netloc}"]
    lines += [f"{name}: {value}" for name, value in allowed.headers.items()]
    if "content-length" not in {name.lower() for name in allowed.headers}:
        lines.append(f"Content-Length: {len(picture)}")
    with socket.create_connection((url.hostname or "", url.port or 80), timeout=10) as upload:
        upload.sendall("\r\n".join([*lines, "", ""]).encode() + picture[: len(picture) // 2])
    assert storage.photos.read_upload(photo.path, limit_bytes=len(picture)) is None
    put_upload(storage, photo.path, picture, CONTENT_TYPE)
    assert storage.photos.read_upload(photo.path, limit_bytes=len(picture)) == picture
