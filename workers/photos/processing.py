"""Processes an uploaded photo from the state `processing` to `ready` or `failed`.

Every step can be repeated. After a crash the same event starts again, and for a photo in a final
state only leftover objects are removed.
"""

import base64
import hashlib
import time
from dataclasses import dataclass, field

import structlog

from graph import Graph
from graph.events import Event
from graph.photos import Photo
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.errors import FencedError
from workers.photos.decoding import PROCESSING_FAILED, render_in_child
from workers.photos.errors import ImageRefusedError
from workers.photos.imaging import MAX_BYTES, RenditionSet

log = structlog.get_logger()

STORING_SECONDS = 20.0
"""Time after which no further object is stored. A slow S3 can take 36 s for an object, and if RQ
ended the job after 60 s, that would count as a try although the photo is good."""

RENEW_SECONDS = 2.0
"""Age of a lease (20 s) at which the next step renews it. Most photos are done before, so that they
cost the graph no renewal."""

MAX_TRIES = 5
"""Claims without a final state, outages not counted, after which the photo has failed.

Without the limit a picture that crashes the worker would do so until its event is in quarantine,
and its owner would never hear of it.
"""


def process(graph: Graph, storage: Storage, event: Event) -> bool:
    """Bring the photo to a final state; returns whether that has finished the event too.

    Then nothing is left to remove. After any other outcome the objects that the photo's state does
    not need are removed. Raises FencedError, DecodingInterruptedError (try again),
    StorageUnavailableError, StorageRefusedError, GraphUnavailableError.
    """
    photo = graph.photos.get(event.subject_id)
    if photo is None:
        return False
    try:
        if photo.state == "processing" and _set_final_state(graph, storage, event, photo):
            return True
    except FencedError:  # our last object may have come after the other worker's cleanup
        _remove_leftovers(graph, storage, photo, fenced=True)
        raise
    _remove_leftovers(graph, storage, photo)
    return False


def _set_final_state(graph: Graph, storage: Storage, event: Event, photo: Photo) -> bool:
    """Set `ready` once all objects exist, or `failed` after a refusal; returns whether ready."""
    try:
        result = _render_and_store(graph, storage, event, photo)
    except ImageRefusedError as refused:
        log.info("photo refused", photo_id=photo.id, code=refused.code)
        graph.photos.set_failed(photo.id, refused.code)
        return False
    ready = graph.photos.set_ready(
        photo.id,
        event,
        width=result.width,
        height=result.height,
        blurhash=result.blurhash,
    )
    if ready is None:
        raise FencedError(event.id)
    if ready:
        log.info("photo ready", photo_id=photo.id, width=result.width, height=result.height)
    return ready


def _render_and_store(graph: Graph, storage: Storage, event: Event, photo: Photo) -> RenditionSet:
    """Store the renditions, and as the original the same bytes that were examined.

    Then the upload is removed, so that nothing is left to do once the photo is ready. Raises
    ImageRefusedError, and StorageUnavailableError, also if S3 is so slow that RQ would end the job.
    """
    if event.attempts > MAX_TRIES:
        raise ImageRefusedError(PROCESSING_FAILED)
    lease, end = _Lease(graph, event), time.monotonic() + STORING_SECONDS
    data = _read_upload(storage, photo)
    lease.renew_if_old()
    result = render_in_child(data, photo.content_type)
    lease.renew_if_old()
    storage.photos.store_original(photo.path, data, photo.content_type)
    for side, rendition in result.renditions.items():
        if time.monotonic() > end:
            raise StorageUnavailableError("s3", "too slow to store the rest of a photo's objects")
        lease.renew_if_old()
        storage.photos.put_rendition(photo.path, side, rendition)
    lease.renew_if_old()
    storage.photos.remove_upload(photo.path)
    return result


def _read_upload(storage: Storage, photo: Photo) -> bytes:
    """The uploaded bytes, which are the original if an earlier try has stored it.

    Raises ImageRefusedError if length or checksum are not as announced.
    """
    limit = min(photo.size_bytes, MAX_BYTES)
    data = storage.photos.read_upload(photo.path, limit_bytes=limit)
    if data is None:
        data = storage.photos.read_original(photo.path, limit_bytes=limit)
    if data is None:
        raise ImageRefusedError("nothing-uploaded")
    if len(data) > limit:
        raise ImageRefusedError("too-large")
    if len(data) < photo.size_bytes:
        raise ImageRefusedError("truncated")
    if photo.checksum_sha256 is not None and photo.checksum_sha256 != _checksum(data):
        raise ImageRefusedError("wrong-checksum")
    return data


def _checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@dataclass(slots=True)
class _Lease:
    """The lease on an event, which the claim has just begun."""

    graph: Graph
    event: Event
    renewed_at: float = field(default_factory=time.monotonic)

    def renew_if_old(self) -> None:
        """Renew a lease older than RENEW_SECONDS; a younger one cannot be lost yet.

        Raises FencedError if another worker has claimed the event.
        """
        began_at = time.monotonic()
        if began_at - self.renewed_at < RENEW_SECONDS:
            return
        if not self.graph.events.renew(self.event.id, self.event.epoch):
            raise FencedError(self.event.id)
        self.renewed_at = began_at


def _remove_leftovers(
    graph: Graph, storage: Storage, photo: Photo, *, fenced: bool = False
) -> None:
    """Remove the objects that the photo does not need in the state that it has now."""
    latest = graph.photos.get(photo.id)
    if latest is None or latest.state in {"failed", "expired"}:
        storage.photos.remove(photo.path)
    elif latest.state == "ready" and not fenced:
        storage.photos.remove_upload(photo.path)
