"""Processes an uploaded photo from the state `processing` to `ready` or `failed`.

Every step can be repeated. After a crash the same event starts again, and for a photo in a final
state only leftover objects are removed.
"""

import base64
import contextlib
import hashlib
import math
import time
from dataclasses import dataclass

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import Event
from graph.photos import Photo
from storage import Storage
from storage.errors import StorageRefusedError, StorageUnavailableError
from workers.errors import FencedError
from workers.photos.decoding import PROCESSING_FAILED, render_in_child
from workers.photos.errors import ImageRefusedError
from workers.photos.imaging import MAX_BYTES, RenditionSet

log = structlog.get_logger()

STORING_SECONDS = 20.0
"""Time after which no further object is stored. A slow S3 can take 36 s for an object, and if RQ
ended the job after 60 s, that would count as a try although the photo is good."""

RENEW_SECONDS = 2.0
"""Age of a lease (20 s) at which the next step renews it. Most photos are done before.

Each renewal is a write to the graph. The first renewal, which counts the try, and the last, which
fences the final state, are always made.
"""

MAX_TRIES = 5
"""Tries without a final state, outages not counted, after which the photo has failed.

The event's cursor counts them, as each renewal of the lease resets the event's attempts. Without
the limit a picture that crashes the worker would do so for ever.
"""


def process(graph: Graph, storage: Storage, event: Event) -> None:
    """Bring the photo to a final state, then remove the objects that this state does not need.

    Raises FencedError, DecodingInterruptedError (try again), StorageUnavailableError,
    StorageRefusedError, GraphUnavailableError.
    """
    photo = graph.photos.get(event.subject_id)
    if photo is None:
        return
    try:
        if photo.state == "processing" and _try_once(graph, storage, event, photo):
            storage.photos.remove_upload(photo.path)
            return
    except FencedError:  # our last object may have come after the other worker's cleanup
        _remove_leftovers(graph, storage, photo, fenced=True)
        raise
    _remove_leftovers(graph, storage, photo)


def _try_once(graph: Graph, storage: Storage, event: Event, photo: Photo) -> bool:
    """Bring the photo to `ready` or `failed`; returns whether this call made it ready.

    An outage of a store does not count as a try. A store's refusal does: it would repeat for ever.
    """
    try:
        return _set_final_state(graph, storage, event, photo)
    except StorageRefusedError:
        raise
    except (StorageUnavailableError, GraphUnavailableError):
        with contextlib.suppress(GraphUnavailableError):
            _Lease(graph, event, tries=event.cursor).renew()  # takes this try back
        raise


def _set_final_state(graph: Graph, storage: Storage, event: Event, photo: Photo) -> bool:
    """Set `ready` once all objects exist, or `failed` after a refusal; returns whether ready."""
    try:
        result = _render_and_store(graph, storage, event, photo)
    except ImageRefusedError as refused:
        log.info("photo refused", photo_id=photo.id, code=refused.code)
        graph.photos.set_failed(photo.id, refused.code)
        return False
    log.info("photo ready", photo_id=photo.id, width=result.width, height=result.height)
    return graph.photos.set_ready(
        photo.id, width=result.width, height=result.height, blurhash=result.blurhash
    )


def _render_and_store(graph: Graph, storage: Storage, event: Event, photo: Photo) -> RenditionSet:
    """Store the renditions, and as the original the same bytes that were examined.

    Raises ImageRefusedError, and StorageUnavailableError, also if S3 is so slow that RQ would end
    the job.
    """
    if event.cursor >= MAX_TRIES:
        raise ImageRefusedError(PROCESSING_FAILED)
    lease, end = _Lease(graph, event, tries=event.cursor + 1), time.monotonic() + STORING_SECONDS
    data = _read_upload(storage, photo)
    lease.renew()
    result = render_in_child(data, photo.content_type)
    lease.renew_if_old()
    storage.photos.store_original(photo.path, data, photo.content_type)
    for side, rendition in result.renditions.items():
        if time.monotonic() > end:
            raise StorageUnavailableError("s3", "too slow to store the rest of a photo's objects")
        lease.renew_if_old()
        storage.photos.put_rendition(photo.path, side, rendition)
    lease.renew()
    return result


def _read_upload(storage: Storage, photo: Photo) -> bytes:
    """The uploaded bytes. Raises ImageRefusedError if length or checksum are not as announced."""
    limit = min(photo.size_bytes, MAX_BYTES)
    data = storage.photos.read_upload(photo.path, limit_bytes=limit)
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
    """The lease on an event. Both methods raise FencedError if another worker has claimed it."""

    graph: Graph
    event: Event
    tries: int
    renewed_at: float = -math.inf

    def renew(self) -> None:
        """Renew the lease, and save the number of tries as the event's cursor."""
        began_at = time.monotonic()
        if not self.graph.events.advance(self.event.id, self.event.epoch, self.tries):
            raise FencedError(self.event.id)
        self.renewed_at = began_at

    def renew_if_old(self) -> None:
        """Renew a lease older than RENEW_SECONDS; a younger one cannot be lost yet."""
        if time.monotonic() - self.renewed_at > RENEW_SECONDS:
            self.renew()


def _remove_leftovers(
    graph: Graph, storage: Storage, photo: Photo, *, fenced: bool = False
) -> None:
    """Remove the objects that the photo does not need in the state that it has now."""
    latest = graph.photos.get(photo.id)
    if latest is None or latest.state in {"failed", "expired"}:
        storage.photos.remove(photo.path)
    elif latest.state == "ready" and not fenced:
        storage.photos.remove_upload(photo.path)
