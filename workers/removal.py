"""Removes the photos of deleted posts, and bodies that are outdated."""

import time

from feed.bodies import DISCARD_PAGE, bodies_of, discard_page
from feed.hiding import refresh_post
from graph import Graph
from graph.events import Event
from graph.ids import MAX_ID
from storage import Storage, changes
from storage.errors import StorageUnavailableError
from workers.errors import FencedError, UnfinishedError
from workers.fan_out import TURN_SECONDS

RECENT = 100
"""Posts of an author whose bodies are rendered at once, as many readers will need them soon."""


def remove_post(graph: Graph, storage: Storage, event: Event) -> None:
    """Write the tombstone, announce it, remove the photos' objects, then delete the photos.

    In this order the path of every object that may exist stays known. Can be repeated. Raises
    StorageUnavailableError, GraphUnavailableError.
    """
    storage.bodies.tombstone([event.subject_id])
    storage.changes.announce([changes.post(event.subject_id)])
    photos = graph.posts.deleted_photos(event.subject_id)
    if refused := storage.photos.remove_many([path for _photo_id, path in photos]):
        raise StorageUnavailableError("s3", f"the objects of {len(refused)} photos are not removed")
    if photos:
        graph.posts.delete_photos([photo_id for photo_id, _path in photos])


def refresh_moderated(_graph: Graph, storage: Storage, event: Event) -> None:
    """Discard the body of a post that was hidden, or the tombstone of one that is shown again.

    Can be repeated. Raises StorageUnavailableError.
    """
    refresh_post(storage, event.subject_id)


def refresh_author(graph: Graph, storage: Storage, event: Event) -> None:
    """Discard the bodies of all the author's posts; render the newest with the new name at once.

    Goes from the event's cursor (0: not begun) to older posts. Posts created meanwhile have the new
    name. The change is announced after the last discard. Can be repeated. Raises FencedError,
    UnfinishedError, StorageUnavailableError, GraphUnavailableError.
    """
    storage.bodies.discard_expected(event.author_id)
    before = event.cursor or _render_recent(graph, storage, event.author_id)
    end = time.monotonic() + TURN_SECONDS
    while discarded := discard_page(graph, storage, event.author_id, before, DISCARD_PAGE):
        before = discarded[-1]
        if not graph.events.advance(event.id, event.epoch, before):
            raise FencedError(event.id)
        if time.monotonic() > end:
            raise UnfinishedError(event.id)
    storage.changes.announce([changes.author(event.author_id)])


def _render_recent(graph: Graph, storage: Storage, author_id: int) -> int:
    """Render the bodies of the author's newest posts; returns the lowest of their ids."""
    recent = discard_page(graph, storage, author_id, MAX_ID, RECENT)
    bodies_of(graph, storage, recent)
    return recent[-1] if recent else MAX_ID
