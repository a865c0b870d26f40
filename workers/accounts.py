"""Hides users; deletes an account a week after its owner has asked for it, in steps."""

import time
from collections.abc import Iterator
from contextlib import suppress

import structlog

from feed.bodies import DISCARD_PAGE, discard_page
from graph import Graph
from graph.errors import NotFoundError
from graph.events import Event
from graph.ids import MAX_ID
from storage import Storage, changes
from workers.errors import FencedError, PutOffError, UnfinishedError
from workers.exports.clearing import remove_of_user
from workers.fan_out import TURN_SECONDS

log = structlog.get_logger()

PAGE = 1_000
"""Sessions, follows and the like that one statement deletes."""
EXPORTS_PAGE = 10
"""Exports that are removed before the time is looked at."""
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
    if not graph.accounts.begin_deletion(event):  # restored, or a clock was set back
        left_ms = graph.accounts.left_ms(event)
        if left_ms is None:
            return
        raise PutOffError(max(1.0, left_ms / 1000))
    _delete(graph, storage, event)


def hide_suspended(graph: Graph, storage: Storage, event: Event) -> None:
    """Hide the posts of a suspended user, and end the sessions.

    If the suspension has ended, readers find the posts again. Can be repeated. Raises FencedError,
    UnfinishedError, StorageUnavailableError, GraphUnavailableError.
    """
    _hide(graph, storage, event)


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
    _end_sessions(graph, storage, user_id)


def _end_sessions(graph: Graph, storage: Storage, user_id: int) -> None:
    """Drop the copies of the user's sessions everywhere, then delete the sessions.

    In this order a repeated request finds a session whose copies may exist.
    """
    pages = list(_pages_of_ended(graph, user_id))
    for session_ids in pages:
        storage.sessions.drop(user_id, session_ids)
    storage.changes.announce([changes.author(user_id), changes.user(user_id)])
    for session_ids in pages:
        graph.sessions.delete_outdated(user_id, session_ids)


def _pages_of_ended(graph: Graph, user_id: int) -> Iterator[list[int]]:
    before = MAX_ID
    while session_ids := graph.sessions.ended_ids(user_id, before=before, limit=PAGE):
        yield session_ids
        before = session_ids[-1]


def _delete(graph: Graph, storage: Storage, event: Event) -> None:
    """Delete exports, posts, photos, and all else, in this order, and leave a receipt.

    Each step deletes what it finds, so no position is needed. The photos' objects in S3 are removed
    by the events of the posts and the photos.
    """
    user_id = event.subject_id
    end = time.monotonic() + TURN_SECONDS
    while remove_of_user(graph, storage, user_id, EXPORTS_PAGE):
        _go_on(graph, event, end)
    for step in (_delete_posts, _delete_photos, _clear):
        while step(graph, user_id):
            _go_on(graph, event, end)
    storage.timelines.drop(user_id)
    storage.changes.announce([changes.author(user_id), changes.user(user_id)])
    graph.accounts.finish(user_id)
    log.info("account deleted", user_id=user_id)


def _go_on(graph: Graph, event: Event, end: float) -> None:
    """Renew the lease, as there is progress. Raises FencedError, UnfinishedError after `end`."""
    if not graph.events.advance(event.id, event.epoch, event.cursor):
        raise FencedError(event.id)
    if time.monotonic() > end:
        raise UnfinishedError(event.id)


def _delete_posts(graph: Graph, user_id: int) -> bool:
    """Delete a page of the user's posts; returns whether there was one.

    Their events remove the objects.
    """
    post_ids = graph.posts.ids_by_author(user_id, before=MAX_ID, limit=POSTS_PAGE)
    for post_id in post_ids:
        graph.posts.delete(post_id, author_id=user_id)
    return bool(post_ids)


def _delete_photos(graph: Graph, user_id: int) -> bool:
    """Delete a page of the photos without a post; returns whether there was one.

    Photos of deleted posts are left to the events of these.
    """
    photo_ids = graph.photos.unposted_ids(user_id, POSTS_PAGE)
    for photo_id in photo_ids:
        with suppress(NotFoundError):  # the sweeper was here before
            graph.photos.delete(photo_id, owner_id=user_id)
    return bool(photo_ids)


def _clear(graph: Graph, user_id: int) -> bool:
    return graph.accounts.clear(user_id, PAGE)
