"""An uploaded photo, on its way from `processing` to `ready` or `failed`.

Every step may be done again: after a crash anywhere the same event runs from the start, and a
photo that is settled already only has its leftovers removed.
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
from workers.photos.decoding import PROCESSING_FAILED, render_apart
from workers.photos.imaging import MAX_BYTES, ImageRefusedError, Rendered

log = structlog.get_logger()

LONGEST_SECONDS = 20.0
"""After this long no further object is stored: one may take an S3 that is slow 36 s, and a job that
RQ ends after 60 s would count as a try of a photo that is well."""

RENEW_SECONDS = 2.0
"""How much of a lease (20 s) may be gone before a step: most photos are through before that.

Each renewal is a question to the graph; the first, which counts the try, and the last, which fences
the verdict, are always asked.
"""

MAX_TRIES = 5
"""How often a photo is begun that comes to no end, outages apart, before it has failed.

The event's cursor counts them, as each renewal of its lease forgives its attempts: a picture that
brings the whole worker down would else do so for ever.
"""


def process(graph: Graph, storage: Storage, event: Event) -> None:
    """Settle the photo if it is not, then remove what is no longer needed of it.

    Raises FencedError, DecodingInterruptedError (try again), and what says that a store is away.
    """
    photo = graph.photos.get(event.subject_id)
    if photo is None:
        return
    try:
        if photo.state == "processing" and _settle(graph, storage, event, photo):
            storage.photos.remove_upload(photo.path)
            return
    except FencedError:  # who took over may have settled and tidied before our last object came
        _tidy(graph, storage, photo, fenced=True)
        raise
    _tidy(graph, storage, photo)


def _settle(graph: Graph, storage: Storage, event: Event, photo: Photo) -> bool:
    """Bring the photo to `ready` or `failed`; True where it is this that has made it ready.

    That a store is away meanwhile is no try.

    A refusal is one: to renew the lease would forgive it for ever.
    """
    try:
        return _decide(graph, storage, event, photo)
    except StorageRefusedError:
        raise
    except (StorageUnavailableError, GraphUnavailableError):
        with contextlib.suppress(GraphUnavailableError):
            _Lease(graph, event, tries=event.cursor).renew()
        raise


def _decide(graph: Graph, storage: Storage, event: Event, photo: Photo) -> bool:
    """`ready` once all the photo's objects exist, `failed` if it is refused; as `_settle` says."""
    try:
        rendered = _publish(graph, storage, event, photo)
    except ImageRefusedError as refused:
        log.info("photo refused", photo_id=photo.id, code=refused.code)
        graph.photos.set_failed(photo.id, refused.code)
        return False
    log.info("photo ready", photo_id=photo.id, width=rendered.width, height=rendered.height)
    return graph.photos.set_ready(
        photo.id, width=rendered.width, height=rendered.height, blurhash=rendered.blurhash
    )


def _publish(graph: Graph, storage: Storage, event: Event, photo: Photo) -> Rendered:
    """The renditions, all of them stored, and the original from the very bytes examined.

    Raises ImageRefusedError with the code to tell, and StorageUnavailableError, also where S3 is so
    slow that the job would be ended in the middle.
    """
    if event.cursor >= MAX_TRIES:
        raise ImageRefusedError(PROCESSING_FAILED)
    lease, end = _Lease(graph, event, tries=event.cursor + 1), time.monotonic() + LONGEST_SECONDS
    data = _uploaded(storage, photo)
    lease.renew()
    rendered = render_apart(data, photo.content_type)
    lease.hold()
    storage.photos.keep_original(photo.path, data, photo.content_type)
    for side, rendition in rendered.renditions.items():
        if time.monotonic() > end:
            raise StorageUnavailableError("s3", "too slow to store what is left of a photo")
        lease.hold()
        storage.photos.put_rendition(photo.path, side, rendition)
    lease.renew()
    return rendered


def _uploaded(storage: Storage, photo: Photo) -> bytes:
    """The uploaded bytes, of the length and checksum that were announced, else a refusal."""
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
    """The hold on an event. Both methods raise FencedError if it has been taken over."""

    graph: Graph
    event: Event
    tries: int
    renewed_at: float = -math.inf

    def renew(self) -> None:
        """Hold the event for another lease, and note how often the photo was begun."""
        asked_at = time.monotonic()
        if not self.graph.events.advance(self.event.id, self.event.epoch, self.tries):
            raise FencedError(self.event.id)
        self.renewed_at = asked_at

    def hold(self) -> None:
        """Renew where some of the lease is gone; else nobody else can have claimed the event."""
        if time.monotonic() - self.renewed_at > RENEW_SECONDS:
            self.renew()


def _tidy(graph: Graph, storage: Storage, photo: Photo, *, fenced: bool = False) -> None:
    """Remove what the photo's present state has no use for; its state decides, whoever set it."""
    now = graph.photos.get(photo.id)
    if now is None or now.state in {"failed", "expired"}:
        storage.photos.remove(photo.path)
    elif now.state == "ready" and not fenced:
        storage.photos.remove_upload(photo.path)
