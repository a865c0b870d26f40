"""A post: committed with its key and its event, then pushed to its author, then rung for."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import structlog

from api.services import fingerprints
from api.services.best_effort import drop_timeline, expect_body, fill_body
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
from storage import Storage
from storage.bodies import Expected
from storage.errors import StorageUnavailableError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the author wants to post."""

    photo_ids: tuple[int, ...]
    caption: str
    location: Location | None

    @property
    def fingerprint(self) -> str:
        """What the idempotency key is bound to."""
        return fingerprints.of("post", asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A post that is committed, and its finished JSON."""

    post_id: int
    body: bytes
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Committed:
    """A post that the graph has, and whose body the cache may have been told to expect."""

    post_id: int
    expected: Expected | None
    created: CreatedPost


def publish(graph: Graph, storage: Storage, draft: Draft, *, author_id: int, key: str) -> Published:
    """The author's new post, or the one that the key made before.

    After the commit nothing can undo it: body, push and ring fail open, as readers and the event
    do them again. Raises PhotosNotReadyError, PhotoFailedError, PhotoAlreadyPostedError,
    NotFoundError, IdempotencyKeyReusedError, IdempotencyKeyInFlightError, PostDeletedError,
    ClockOffError.
    """
    try:
        committed = with_new_id(
            lambda post_id: _commit(
                graph, storage, draft, post_id=post_id, author_id=author_id, key=key
            )
        )
    except KeyInFlightError:
        raise IdempotencyKeyInFlightError from None
    except KeyTakenError as taken:
        return _replayed(graph, storage, draft, author_id=author_id, taken=taken)
    except (PhotosNotPostableError, PhotoPostedError) as refusal:
        raise _why_not(draft.photo_ids, refusal) from None
    body = _written_through(graph, storage, committed)
    push_to_author(storage, author_id, committed.post_id)
    storage.queues.wake(committed.created.event)
    return Published(post_id=committed.post_id, body=body, replayed=False)


def _commit(
    graph: Graph, storage: Storage, draft: Draft, *, post_id: int, author_id: int, key: str
) -> _Committed:
    expected = expect_body(storage, post_id, author_id)
    created = graph.posts.create(
        post_id=post_id,
        author_id=author_id,
        photo_ids=draft.photo_ids,
        caption=draft.caption,
        location=draft.location,
        key=key,
        fingerprint=draft.fingerprint,
    )
    return _Committed(post_id=post_id, expected=expected, created=created)


def _written_through(graph: Graph, storage: Storage, committed: _Committed) -> bytes:
    """The new post's body, in the cache before anybody can ask for it.

    Made of what the commit gave back: no second question to the graph.
    """
    post = committed.created.post
    if post is None:
        return _body(graph, storage, committed.post_id)
    body = render(post, storage)
    if committed.expected:
        fill_body(storage, committed.expected, body)
    return body


def push_to_author(storage: Storage, author_id: int, post_id: int) -> None:
    """The post into its author's own timeline, before the answer; best effort.

    What is missed here comes with the fan-out, which begins with the author.
    """
    try:
        storage.timelines.push([author_id], post_id, read_at=time.monotonic())
    except StorageUnavailableError as error:
        metrics.AUTHOR_PUSHES_MISSED.inc()
        log.warning("author's timeline missed", post_id=post_id, error=str(error))


def _replayed(
    graph: Graph, storage: Storage, draft: Draft, *, author_id: int, taken: KeyTakenError
) -> Published:
    """What the key made before. Raises IdempotencyKeyReusedError, PostDeletedError."""
    if taken.fingerprint != draft.fingerprint:
        raise IdempotencyKeyReusedError from None
    drop_timeline(storage, author_id)  # the first try may have died before its push
    body = _body(graph, storage, taken.result_id)
    return Published(post_id=taken.result_id, body=body, replayed=True)


def _body(graph: Graph, storage: Storage, post_id: int) -> bytes:
    body = bodies_of(graph, storage, [post_id])[post_id]
    if not body:
        raise PostDeletedError
    return body


def _why_not(photo_ids: Sequence[int], refusal: Exception) -> Exception:
    """The reason that helps most: what is not theirs, what never will be, what is not yet."""
    if not isinstance(refusal, PhotosNotPostableError):
        return PhotoAlreadyPostedError()
    states = refusal.states
    if any(photo_id not in states for photo_id in photo_ids):
        return NotFoundError()
    if failed := [photo_id for photo_id in photo_ids if states[photo_id] in ("failed", "expired")]:
        return PhotoFailedError(failed)
    return PhotosNotReadyError([photo_id for photo_id in photo_ids if states[photo_id] != "ready"])


def delete(graph: Graph, storage: Storage, post_id: int, *, author_id: int) -> None:
    """Delete the author's post; the same again within 24 hours is fine.

    Once this returns no page shows it; its photos go by the event. Raises NotFoundError, and
    StorageUnavailableError where that cannot be promised yet: the same request finishes the job.
    """
    event = graph.posts.delete(post_id, author_id=author_id)
    storage.bodies.tombstone([post_id])  # on a repeat too: the first try may have died here
    storage.queues.wake(event)
