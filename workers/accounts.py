"""Hides a user whose account will be deleted, and deletes it a week later, in steps."""

import time
from contextlib import suppress

import structlog

from feed.bodies import DISCARD_PAGE, discard_page
from graph import Graph
from graph.errors import PhotoPostedError
from graph.events import Event
from graph.ids import MAX_ID
from storage import Storage, changes
from workers.errors import FencedError, PutOffError, UnfinishedError
from workers.fan_out import TURN_SECONDS

log = structlog.get_logger()

PAGE = 1_000
"""Sessions, follows and the like that one statement deletes."""
POSTS_PAGE = 100
"""Posts, and photos without a post, that are deleted before the time is looked at."""


def leave(graph: Graph, storage: Storage, event: Event) -> None:
    """Hide the user's posts and sessions; when the account's time is over, delete it.

    Does nothing if the account was restored. Can be repeated. Raises PutOffError until the time,
    FencedError, UnfinishedError, StorageUnavailableError, GraphUnavailableError.
    """
    left_ms = graph.accounts.left_ms(event)
    if left_ms is None:
        return
    if left_ms > 0:
        _hide(graph, storage, event)
        raise PutOffError(left_ms / 1000)
    if graph.accounts.begin_deletion(event):
        _delete(graph, storage, event)


def _hide(graph: Graph, storage: Storage, event: Event) -> None:
    """Discard all bodies of the user's posts and all copies of the sessions; readers find none.

    The request did the newest. Goes from the event's cursor (0: not begun) to older posts.
    """
    user_id = event.subject_id
    storage.bodies.discard_expected(user_id)
    before = event.cursor or MAX_ID
    end = time.monotonic() + TURN_SECONDS
    while discarded := discard_page(graph, storage, user_id, before, DISCARD_PAGE):
        before = discarded[-1]
        if not graph.events.advance(event.id, event.epoch, before):
            raise FencedError(event.id)
        if time.monotonic() > end:
            raise UnfinishedError(event.id)
    before = MAX_ID
    while session_ids := graph.sessions.ended_ids(user_id, before=before, limit=PAGE):
        storage.sessions.drop(user_id, session_ids)
        graph.sessions.delete_outdated(user_id, session_ids)
        before = session_ids[-1]
    storage.changes.announce([changes.author(user_id), changes.user(user_id)])


def _delete(graph: Graph, storage: Storage, event: Event) -> None:
    """Delete posts, photos, and all else, in this order, and leave a receipt.

    Each step deletes what it finds, so no position is needed. The objects in S3 are removed by the
    events of the posts and the photos.
    """
    user_id = event.subject_id
    end = time.monotonic() + TURN_SECONDS
    for step in (_delete_posts, _delete_photos, _clear):
        while step(graph, user_id):
            if time.monotonic() > end:
                raise UnfinishedError(event.id)
    graph.accounts.finish(user_id)
    storage.timelines.drop(user_id)
    storage.changes.announce([changes.author(user_id), changes.user(user_id)])
    log.info("account deleted", user_id=user_id)


def _delete_posts(graph: Graph, user_id: int) -> bool:
    """Delete a page of the user's posts; returns whether there was one.

    Their events remove the objects.
    """
    post_ids = graph.posts.ids_by_author(user_id, before=MAX_ID, limit=POSTS_PAGE)
    for post_id in post_ids:
        graph.posts.delete(post_id, author_id=user_id)
    return bool(post_ids)


def _delete_photos(graph: Graph, user_id: int) -> bool:
    """Delete a page of the photos without a post; returns whether one was deleted.

    Photos of deleted posts are left to the events of these.
    """
    before: int | None = MAX_ID
    deleted = False
    while before is not None and not deleted:
        photos, before = graph.photos.by_owner(user_id, state=None, before=before, limit=POSTS_PAGE)
        for photo in photos:
            with suppress(PhotoPostedError):
                graph.photos.delete(photo.id, owner_id=user_id)
                deleted = True
    return deleted


def _clear(graph: Graph, user_id: int) -> bool:
    return graph.accounts.clear(user_id, PAGE)
