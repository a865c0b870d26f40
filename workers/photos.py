"""An uploaded photo, on its way from `processing` to `ready` or `failed`.

Every step may be done again: after a crash anywhere the same event runs from the start, and a
photo that is settled already only has its leftovers removed.
"""

import base64
import contextlib
import hashlib
import time

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.events import Event
from graph.photos import Photo
from storage import Storage
from storage.errors import StorageRefusedError, StorageUnavailableError
from workers.decoding import PROCESSING_FAILED, render_apart
from workers.errors import FencedError
from workers.imaging import MAX_BYTES, ImageRefusedError, Rendered

log = structlog.get_logger()

LONGEST_SECONDS = 20.0
"""After this long no further object is stored: one may take an S3 that is slow 36 s, and a job that
RQ ends after 60 s would count as a try of a photo that is well."""

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
        if photo.state == "processing":
            _settle(graph, storage, event, photo)
    except FencedError:  # who took over may have settled and tidied before our last object came
        _tidy(graph, storage, photo, fenced=True)
        raise
    _tidy(graph, storage, photo)


def _settle(graph: Graph, storage: Storage, event: Event, photo: Photo) -> None:
    """Bring the photo to `ready` or `failed`; that a store is away meanwhile is no try.

    A refusal is one: to renew the lease would forgive it for ever.
    """
    try:
        _decide(graph, storage, event, photo)
    except StorageRefusedError:
        raise
    except (StorageUnavailableError, GraphUnavailableError):
        with contextlib.suppress(GraphUnavailableError):
            _renew(graph, event, tries=event.cursor)
        raise


def _decide(graph: Graph, storage: Storage, event: Event, photo: Photo) -> None:
    """`ready` once all the photo's objects exist, `failed` if it is refused."""
    try:
        rendered = _publish(graph, storage, event, photo)
    except ImageRefusedError as refused:
        log.info("photo refused", photo_id=photo.id, code=refused.code)
        graph.photos.set_failed(photo.id, refused.code)
        return
    log.info("photo ready", photo_id=photo.id, width=rendered.width, height=rendered.height)
    graph.photos.set_ready(
        photo.id, width=rendered.width, height=rendered.height, blurhash=rendered.blurhash
    )


def _publish(graph: Graph, storage: Storage, event: Event, photo: Photo) -> Rendered:
    """The renditions, all of them stored, and the original from the very bytes examined.

    Raises ImageRefusedError with the code to tell, and StorageUnavailableError, also where S3 is so
    slow that the job would be ended in the middle.
    """
    if event.cursor >= MAX_TRIES:
        raise ImageRefusedError(PROCESSING_FAILED)
    tries, end = event.cursor + 1, time.monotonic() + LONGEST_SECONDS
    data = _uploaded(storage, photo)
    _renew(graph, event, tries)
    rendered = render_apart(data, photo.content_type)
    _renew(graph, event, tries)
    storage.photos.keep_original(photo.path, data, photo.content_type)
    for side, rendition in rendered.renditions.items():
        if time.monotonic() > end:
            raise StorageUnavailableError("s3", "too slow to store what is left of a photo")
        _renew(graph, event, tries)
        storage.photos.put_rendition(photo.path, side, rendition)
    _renew(graph, event, tries)
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
    checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
    if photo.checksum_sha256 not in {None, checksum}:
        raise ImageRefusedError("wrong-checksum")
    return data


def _renew(graph: Graph, event: Event, tries: int) -> None:
    """Hold the event for another lease. Raises FencedError if it has been taken over."""
    if not graph.events.advance(event.id, event.epoch, tries):
        raise FencedError(event.id)


def _tidy(graph: Graph, storage: Storage, photo: Photo, *, fenced: bool = False) -> None:
    """Remove what the photo's present state has no use for; its state decides, whoever set it."""
    now = graph.photos.get(photo.id)
    if now is None or now.state in {"failed", "expired"}:
        storage.photos.remove(photo.path)
    elif now.state == "ready" and not fenced:
        storage.photos.remove_upload(photo.path)
