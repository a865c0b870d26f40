"""What is taken away: deleted posts with their photos, bodies that show an old name."""

import time

from graph import Graph
from graph.events import Event
from storage import Storage
from workers.bodies import bodies_of
from workers.errors import FencedError, UnfinishedError
from workers.fanout import TURN_SECONDS
from workers.rebuild import ABOVE_NOTHING

PAGE = 1_000
"""Posts whose bodies are discarded at once."""

RECENT = 100
"""An author's newest posts, which many are about to read: their bodies are made anew at once."""


def remove_post(graph: Graph, storage: Storage, event: Event) -> None:
    """Write the tombstone, remove the photos' objects, then forget the photos.

    In this order: while an object may exist its path is known. Safe to repeat. Raises
    StorageUnavailableError, GraphUnavailableError.
    """
    storage.bodies.tombstone([event.subject_id])
    photos = graph.posts.deleted_photos(event.subject_id)
    for _photo_id, path in photos:
        storage.photos.remove(path)
    if photos:
        graph.posts.forget_photos([photo_id for photo_id, _path in photos])


def refresh_author(graph: Graph, storage: Storage, event: Event) -> None:
    """Have the bodies of all the author's posts rendered with the new name: the newest at once.

    Walks downward from the event's cursor (0: not begun). Posts made meanwhile have the new name.
    Raises FencedError, UnfinishedError, StorageUnavailableError, GraphUnavailableError.
    """
    storage.bodies.forget_author(event.author_id)
    before = event.cursor or _renew_recent(graph, storage, event.author_id)
    end = time.monotonic() + TURN_SECONDS
    while discarded := _discard_page(graph, storage, event.author_id, before, PAGE):
        before = discarded[-1]
        if not graph.events.advance(event.id, event.epoch, before):
            raise FencedError(event.id)
        if time.monotonic() > end:
            raise UnfinishedError(event.id)


def _renew_recent(graph: Graph, storage: Storage, author_id: int) -> int:
    """The lowest of the author's newest posts, all of which have a new body now."""
    recent = _discard_page(graph, storage, author_id, ABOVE_NOTHING, RECENT)
    bodies_of(graph, storage, recent)
    return recent[-1] if recent else ABOVE_NOTHING


def discard_bodies_of(graph: Graph, storage: Storage, author_id: int, limit: int = 10_000) -> None:
    """Discard the bodies of the author's newest `limit` posts; the event does the rest.

    For the request that changes a name, before its answer. Raises StorageUnavailableError,
    GraphUnavailableError.
    """
    storage.bodies.forget_author(author_id)
    before, left = ABOVE_NOTHING, limit
    while left > 0:
        size = min(left, PAGE)
        discarded = _discard_page(graph, storage, author_id, before, size)
        if not discarded:
            return
        before, left = discarded[-1], left - size


def _discard_page(
    graph: Graph, storage: Storage, author_id: int, before: int, limit: int
) -> list[int]:
    """The author's newest posts below `before`, falling, whose bodies are discarded by now."""
    post_ids = graph.posts.ids_by_author(author_id, before=before, limit=limit)
    storage.bodies.discard(post_ids)
    return post_ids
