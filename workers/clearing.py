"""What the sweeper clears: each kind of expired items, in pages, within a time."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from graph import Graph
from graph.ids import first_id_at
from storage import Storage

UPLOAD_RETENTION = timedelta(days=1)
"""How long an upload may stay incomplete."""

INCOMING_RETENTION = timedelta(days=7)
"""How long an incoming object is stored. Longer than UPLOAD_RETENTION, so that a photo whose event
is in quarantine can still be processed after a requeue."""

NOTIFICATION_RETENTION = timedelta(days=90)
"""How long a notification is stored."""

PAGE = 1_000
"""Expired items that one statement deletes: some 20 ms."""

PHOTO_PAGE = 200
"""Overdue uploads, or incoming objects, that are removed at once."""

Step = Callable[[float], int]
"""Clears until a page is short or the monotonic time is over; returns how many items it cleared."""


def steps(graph: Graph, storage: Storage) -> list[tuple[str, Step]]:
    """The steps by the names of their items, in random order.

    So no step is always behind one that takes its whole time, and several sweepers begin with
    different ones.
    """
    named: list[tuple[str, Step]] = [
        ("photos", lambda until: _clear_photos(graph, storage, until)),
        ("incoming", lambda until: _clear_incoming(storage, until)),
        ("keys", _in_pages(lambda: graph.idempotency_keys.delete_expired(PAGE), PAGE)),
        ("sessions", _in_pages(lambda: graph.sessions.delete_expired(PAGE), PAGE)),
        (
            "push-subscriptions",
            _in_pages(lambda: graph.push_subscriptions.delete_ended(PAGE), PAGE),
        ),
        ("deleted-posts", _in_pages(lambda: graph.posts.clear_deleted(PAGE), PAGE)),
        ("notifications", _in_pages(lambda: _clear_notifications(graph), PAGE)),
    ]
    return random.sample(named, len(named))


def _in_pages(clear: Callable[[], int], page: int) -> Step:
    """A step that repeats `clear`, which clears a page and returns its length."""

    def step(until: float) -> int:
        cleared = 0
        while True:
            count = clear()
            cleared += count
            if count < page or time.monotonic() > until:
                return cleared

    return step


def _clear_notifications(graph: Graph) -> int:
    before = first_id_at(datetime.now(UTC) - NOTIFICATION_RETENTION)
    return graph.notifications.delete_old(before, PAGE)


def _clear_photos(graph: Graph, storage: Storage, until: float) -> int:
    """Expire overdue uploads and remove their objects.

    The state changes first, so that an upload completed meanwhile keeps its objects. Objects that
    this leaves behind are removed later with the old incoming objects.
    """
    before_id = first_id_at(datetime.now(UTC) - UPLOAD_RETENTION)

    def clear_page() -> int:
        photos = graph.photos.overdue(before_id, PHOTO_PAGE)
        expired = set(graph.photos.set_expired([photo.id for photo in photos])) if photos else set()
        for photo in photos:
            if photo.id in expired and time.monotonic() < until:
                storage.photos.remove(photo.path)
        return len(photos)

    return _in_pages(clear_page, PHOTO_PAGE)(until)


def _clear_incoming(storage: Storage, until: float) -> int:
    before = datetime.now(UTC) - INCOMING_RETENTION
    return _in_pages(lambda: storage.photos.sweep_incoming(before, PHOTO_PAGE), PHOTO_PAGE)(until)
