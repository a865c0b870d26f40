"""Ends photos that nobody posts, and removes their objects.

The graph has an index of what is due (`unposted_until`, `objects_until` in graph/photos.py), so
nothing here reads photos that are posted. Every step can be repeated, and by several sweepers at
once.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from graph import Graph
from graph.events import Event
from storage import Storage

log = structlog.get_logger()

PAGE = 100
"""Photos that are worked on at once: a request to S3 removes their 500 objects."""

INCOMING_RETENTION = timedelta(days=8)
"""Age of an upload that no photo needs, as none is in processing for longer than a week."""

WALK = "incoming"
"""The name of the slow walk over all uploads in S3."""


def expire_photos(graph: Graph, storage: Storage, *, until: float) -> int:
    """End overdue photos and remove due objects until none is left or `until`, a monotonic time.

    Returns how many photos were worked on. Half of the time is for objects, which S3 may delay, and
    what they leave of it for photos again.
    Raises GraphUnavailableError, StorageUnavailableError.
    """
    half = (time.monotonic() + until) / 2
    expired = _in_pages(lambda: graph.photos.expire(PAGE), half)
    removed = _in_pages(lambda: _remove_objects(graph, storage), until)
    return expired + removed + _in_pages(lambda: graph.photos.expire(PAGE), until)


def reconcile_incoming(storage: Storage, *, until: float) -> int:
    """Remove old uploads that no photo needs; returns how many. It is slow, and bounded by `until`.

    Uploads are cleared by `expire_photos` and by processing. This finds what was uploaded again
    after that. Raises StorageUnavailableError.
    """
    older_than = datetime.now(UTC) - INCOMING_RETENTION
    return storage.sweep_positions.walk(
        WALK, lambda key: storage.photos.sweep_incoming(older_than, after_key=key), until=until
    )


def remove_deleted(graph: Graph, storage: Storage, event: Event) -> None:
    """Remove the objects of a photo that its owner has deleted. Can be repeated.

    What a worker that still processes it stores later, that worker or its event removes. Raises
    StorageUnavailableError, GraphUnavailableError.
    """
    photo = graph.photos.get(event.subject_id)
    if photo and photo.state == "deleted":
        storage.photos.remove(photo.path)


def _in_pages(clear_page: Callable[[], int], until: float) -> int:
    """Clear pages until one is short or the time is over; returns the sum."""
    total, count = 0, PAGE
    while count >= PAGE and time.monotonic() < until:
        count = clear_page()
        total += count
    return total


def _remove_objects(graph: Graph, storage: Storage) -> int:
    """Remove the objects of a page of photos; returns their number.

    A photo of which S3 refuses to remove an object is due again later, and delays no other.
    """
    paths = graph.photos.with_objects(PAGE)
    if not paths:
        return 0
    refused = storage.photos.remove_many(paths.values())
    failed_ids = [photo_id for photo_id, path in paths.items() if path in refused]
    if failed_ids:
        log.error("objects not removed", photos=len(failed_ids), photo_id=failed_ids[0])
    graph.photos.set_without_objects(list(paths), failed_ids)
    return len(paths)
