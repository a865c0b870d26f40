"""Posts: published and deleted.

A post is committed with its idempotency key and its event. Then its body is cached, it is pushed to
its author's timeline, and a worker is woken.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import structlog

from api.services import fingerprints
from api.services.best_effort import drop_timeline, fill_body, reserve_body
from api.services.errors import (
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    PhotoAlreadyPostedError,
    PhotoFailedError,
    PhotosNotReadyError,
    PostDeletedError,
)
from feed.bodies import bodies_of
from feed.rendering import render
from graph import Graph
from graph.errors import (
    KeyInFlightError,
    KeyTakenError,
    NotFoundError,
    PhotoPostedError,
    PhotosNotPostableError,
)
from graph.ids import with_new_id
from graph.posts import CreatedPost, Location
from observing import metrics
from storage import Storage, changes
from storage.bodies import NewBodyReservation
from storage.errors import StorageUnavailableError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The content of a post before it is published."""

    photo_ids: tuple[int, ...]
    caption: str
    location: Location | None

    @property
    def fingerprint(self) -> str:
        """The fingerprint that the idempotency key is stored with."""
        return fingerprints.of("post", asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPost:
    """A committed post and its body."""

    post_id: int
    body: bytes
    replayed: bool
    """Whether an earlier request with the same key published it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _CommittedPost:
    """A committed post, and the reservation of its body if the cache answered before."""

    post_id: int
    reservation: NewBodyReservation | None
    created: CreatedPost


def publish(
    graph: Graph, storage: Storage, draft: Draft, *, author_id: int, key: str
) -> PublishedPost:
    """The author's new post; with a key sent before, the post of that key.

    Steps after the commit fail open, as readers and the event repeat them: the body's write, the
    push to the author, the wake. Raises PhotosNotReadyError, PhotoFailedError,
    PhotoAlreadyPostedError, NotFoundError, IdempotencyKeyReusedError, IdempotencyKeyInFlightError,
    PostDeletedError, ClockOffError.
    """
    try:
        committed = with_new_id(
            lambda post_id: _commit(
                graph, storage, draft, post_id=post_id, author_id=author_id, key=key
            )
        )
    except KeyInFlightError:
        raise IdempotencyKeyInFlightError from None
    except KeyTakenError as error:
        return _replay(graph, storage, draft, author_id=author_id, error=error)
    except (PhotosNotPostableError, PhotoPostedError) as error:
        raise _refusal_of(draft.photo_ids, error) from None
    body = _write_body(graph, storage, committed)
    push_to_author(storage, author_id, committed.post_id)
    storage.queues.wake(committed.created.event)
    return PublishedPost(post_id=committed.post_id, body=body, replayed=False)


def delete(graph: Graph, storage: Storage, post_id: int, *, author_id: int) -> None:
    """Delete the author's post; it can be repeated for 24 hours.

    Requests that begin after the return show the post on no page; the event deletes its photos.
    Raises NotFoundError, and StorageUnavailableError if the cached body could not be replaced by a
    tombstone, or the deletion not be announced: the same request again completes the deletion.
    """
    event = graph.posts.delete(post_id, author_id=author_id)
    storage.bodies.tombstone([post_id])  # on a repeat too: the first try may have failed here
    storage.changes.announce([changes.post(post_id)])
    storage.queues.wake(event)


def push_to_author(storage: Storage, author_id: int, post_id: int) -> None:
    """Push the post to its author's timeline. Fails open: the fan-out begins with the author."""
    try:
        storage.timelines.push([author_id], post_id, read_at=time.monotonic())
    except StorageUnavailableError as error:
        metrics.AUTHOR_PUSHES_MISSED.inc()
        log.warning("author's timeline missed", post_id=post_id, error=str(error))


def _commit(
    graph: Graph, storage: Storage, draft: Draft, *, post_id: int, author_id: int, key: str
) -> _CommittedPost:
    reservation = reserve_body(storage, post_id, author_id)
    created = graph.posts.create(
        post_id=post_id,
        author_id=author_id,
        photo_ids=draft.photo_ids,
        caption=draft.caption,
        location=draft.location,
        key=key,
        fingerprint=draft.fingerprint,
    )
    return _CommittedPost(post_id=post_id, reservation=reservation, created=created)


def _write_body(graph: Graph, storage: Storage, committed: _CommittedPost) -> bytes:
    """The new post's body, cached before a reader can need it.

    It is rendered from the rows that the commit returned, without another query.
    """
    post = committed.created.post
    if post is None:
        return _body_of(graph, storage, committed.post_id)
    body = render(post, storage)
    if committed.reservation:
        fill_body(storage, committed.reservation, body)
    return body


def _replay(
    graph: Graph, storage: Storage, draft: Draft, *, author_id: int, error: KeyTakenError
) -> PublishedPost:
    """The post of the key. Raises IdempotencyKeyReusedError, PostDeletedError."""
    if error.fingerprint != draft.fingerprint:
        raise IdempotencyKeyReusedError from None
    drop_timeline(storage, author_id)  # the first try may have failed before its push
    body = _body_of(graph, storage, error.result_id)
    return PublishedPost(post_id=error.result_id, body=body, replayed=True)


def _body_of(graph: Graph, storage: Storage, post_id: int) -> bytes:
    """Raises PostDeletedError."""
    body = bodies_of(graph, storage, [post_id])[post_id]
    if not body:
        raise PostDeletedError
    return body


def _refusal_of(photo_ids: Sequence[int], error: Exception) -> Exception:
    """The error for the client: absent photos before failed ones, those before unready ones."""
    if not isinstance(error, PhotosNotPostableError):
        return PhotoAlreadyPostedError()
    states = error.states
    if any(photo_id not in states for photo_id in photo_ids):
        return NotFoundError()
    if failed := [photo_id for photo_id in photo_ids if states[photo_id] in ("failed", "expired")]:
        return PhotoFailedError(failed)
    return PhotosNotReadyError([photo_id for photo_id in photo_ids if states[photo_id] != "ready"])
