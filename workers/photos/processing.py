"""Processes an uploaded photo from the state `processing` to `ready` or `failed`.

Every step can be repeated. After a crash the same event starts again, and for a photo in a final
state only leftover objects are removed.
"""

import base64
import functools
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from graph import Graph
from graph.events import Event
from graph.ids import time_of
from graph.photos import Photo
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.errors import FencedError
from workers.leases import Lease
from workers.photos import budget
from workers.photos.decoding import render_in_child
from workers.photos.errors import PROCESSING_FAILED, ImageRefusedError
from workers.photos.imaging import MAX_BYTES, RenditionSet

log = structlog.get_logger()

STORING_SECONDS = 20.0
"""Time after which the upload is read no further, and no further object is stored. A slow S3 can
take 36 s for an object, and if RQ ended the job after 60 s, that would count as a try although the
photo is good."""

LONGEST_OUTAGE = timedelta(hours=23)
"""Age of an event at which its photo is failed, if S3 fails for its objects alone: it has failed
for FAILING_SECONDS, and this worker has made another photo ready in the last RECENT_SECONDS.

An event is given up by the outbox, with its photo in processing, after a day.
"""
FAILING_SECONDS = 600.0
RECENT_SECONDS = 600.0
OBJECT_UNREADABLE = "object-unreadable"
"""The code of such a photo."""
MOST_FAILING = 1_000
"""The most photos whose failures a process remembers."""

MAX_TRIES = 5
"""Claims without a final state, outages not counted, after which the photo has failed.

Without the limit a picture that crashes the worker would do so until its event is in quarantine,
and its owner would never hear of it.
"""


_ready_at: float | None = None
"""When this process last made a photo ready, by the monotonic clock."""
_failing_since: dict[int, float] = {}
"""Event older than LONGEST_OUTAGE → when S3 first failed for it in this process."""


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
        if photo.state == "processing" and _try_once(graph, storage, event, photo):
            return True
    except FencedError:  # our last object may have come after the other worker's cleanup
        _remove_leftovers(graph, storage, photo, fenced=True)
        raise
    _remove_leftovers(graph, storage, photo)
    return False


def _try_once(graph: Graph, storage: Storage, event: Event, photo: Photo) -> bool:
    """Bring the photo to `ready` or `failed`; returns whether this call made it ready.

    A photo that alone fails by outages of S3 fails for good after LONGEST_OUTAGE.
    """
    try:
        return _set_final_state(graph, storage, event, photo)
    except StorageUnavailableError as error:
        if not _fails_alone(event):
            raise
        log.error("photo given up", photo_id=photo.id, error=str(error))  # noqa: TRY400 - no bug
        graph.photos.set_failed(photo.id, OBJECT_UNREADABLE)
        return False


def _fails_alone(event: Event) -> bool:
    """Whether S3 has failed for this photo for long, while it serves other photos."""
    if datetime.now(UTC) - time_of(event.id) <= LONGEST_OUTAGE:
        return False
    if len(_failing_since) >= MOST_FAILING:
        _failing_since.clear()
    now = time.monotonic()
    has_failed_long = now - _failing_since.setdefault(event.id, now) > FAILING_SECONDS
    return has_failed_long and _ready_at is not None and now - _ready_at < RECENT_SECONDS


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
        _note_that_s3_serves()
        log.info("photo ready", photo_id=photo.id, width=result.width, height=result.height)
    return ready


def _note_that_s3_serves() -> None:
    global _ready_at  # noqa: PLW0603 - of this process
    _ready_at = time.monotonic()


def _render_and_store(graph: Graph, storage: Storage, event: Event, photo: Photo) -> RenditionSet:
    """Store the renditions, and as the original the same bytes that were examined.

    Then the upload is removed, so that nothing is left to do once the photo is ready. Raises
    ImageRefusedError, PutOffError if the owner has had their share of decoding, and
    StorageUnavailableError, also if S3 is so slow that RQ would end the job.
    """
    if event.attempts > MAX_TRIES:
        raise ImageRefusedError(PROCESSING_FAILED)
    budget.check(storage, photo.owner_id)
    lease, end = Lease(graph, event), time.monotonic() + STORING_SECONDS
    go_on = functools.partial(_go_on, lease, end)
    data = _read_upload(storage, photo, go_on)
    lease.renew_if_old()
    with budget.count(storage, photo.owner_id):
        result = render_in_child(data, photo.content_type)
    go_on()
    storage.photos.store_original(photo.path, data, photo.content_type)
    for side, rendition in result.renditions.items():
        go_on()
        storage.photos.put_rendition(photo.path, side, rendition)
    lease.renew_if_old()
    storage.photos.remove_upload(photo.path)
    return result


def _go_on(lease: Lease, end: float) -> None:
    """Return if there is time for the next bytes or object, the lease renewed if it is old.

    Raises StorageUnavailableError, FencedError.
    """
    if time.monotonic() > end:
        raise StorageUnavailableError("s3", "too slow for the rest of a photo's objects")
    lease.renew_if_old()


def _read_upload(storage: Storage, photo: Photo, go_on: Callable[[], None]) -> bytes:
    """The uploaded bytes, which are the original if an earlier try has stored it.

    Raises ImageRefusedError if length or checksum are not as announced.
    """
    limit = min(photo.size_bytes, MAX_BYTES)
    data = storage.photos.read_upload(photo.path, limit_bytes=limit, at_each_part=go_on)
    if data is None:
        data = storage.photos.read_original(photo.path, limit_bytes=limit, at_each_part=go_on)
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


def _remove_leftovers(
    graph: Graph, storage: Storage, photo: Photo, *, fenced: bool = False
) -> None:
    """Remove the objects that the photo does not need in the state that it has now."""
    latest = graph.photos.get(photo.id)
    if latest is None or latest.state in {"failed", "expired", "deleted"}:
        storage.photos.remove(photo.path)
    elif latest.state == "ready" and not fenced:
        storage.photos.remove_upload(photo.path)
