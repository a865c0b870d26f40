"""What is taken away: deleted posts with their photos, bodies that show an old name."""

import time

from feed.bodies import DISCARD_PAGE, bodies_of, discard_page
from graph import Graph
from graph.events import Event
from graph.ids import MAX_ID
from storage import Storage
from workers.errors import FencedError, UnfinishedError
from workers.fan_out import TURN_SECONDS

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
    while discarded := discard_page(graph, storage, event.author_id, before, DISCARD_PAGE):
        before = discarded[-1]
        if not graph.events.advance(event.id, event.epoch, before):
            raise FencedError(event.id)
        if time.monotonic() > end:
            raise UnfinishedError(event.id)


def _renew_recent(graph: Graph, storage: Storage, author_id: int) -> int:
    """The lowest of the author's newest posts, all of which have a new body now."""
    recent = discard_page(graph, storage, author_id, MAX_ID, RECENT)
    bodies_of(graph, storage, recent)
    return recent[-1] if recent else MAX_ID
