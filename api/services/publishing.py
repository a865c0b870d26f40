"""A post: committed with its key and its event, then pushed to its author, then rung for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from api.services import fingerprints
from api.services.errors import (
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    PhotoAlreadyPostedError,
    PhotoFailedError,
    PhotosNotReadyError,
    PostDeletedError,
)
from api.services.events import drawing, ring
from api.services.mending import drop_timeline
from graph import Graph
from graph.errors import (
    KeyInFlightError,
    KeyTakenError,
    NotFoundError,
    PhotoPostedError,
    PhotosNotPostableError,
)
from graph.events import Event
from graph.ids import new_id
from graph.posts import Location
from storage import Storage
from workers.bodies import bodies_of
from workers.fanout import push_to_author


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


def publish(graph: Graph, storage: Storage, draft: Draft, *, author_id: int, key: str) -> Published:
    """The author's new post, or the one that the key made before.

    After the commit nothing can undo it: the push and the ring fail open, as the event does both
    again. Raises PhotosNotReadyError, PhotoFailedError, PhotoAlreadyPostedError, NotFoundError,
    IdempotencyKeyReusedError, IdempotencyKeyInFlightError, PostDeletedError, ClockOffError.
    """
    try:
        post_id, event = drawing(lambda: _commit(graph, draft, author_id, key))
    except KeyInFlightError:
        raise IdempotencyKeyInFlightError from None
    except KeyTakenError as taken:
        return _replayed(graph, storage, draft, author_id=author_id, taken=taken)
    except (PhotosNotPostableError, PhotoPostedError) as refusal:
        raise _why_not(draft.photo_ids, refusal) from None
    push_to_author(storage, author_id, post_id)
    ring(storage, event)
    return Published(post_id=post_id, body=_body(graph, storage, post_id), replayed=False)


def _commit(graph: Graph, draft: Draft, author_id: int, key: str) -> tuple[int, Event]:
    post_id = new_id()
    event = graph.posts.create(
        post_id=post_id,
        author_id=author_id,
        photo_ids=draft.photo_ids,
        caption=draft.caption,
        location=draft.location,
        key=key,
        fingerprint=draft.fingerprint,
        event_id=new_id(),
    )
    return post_id, event


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
