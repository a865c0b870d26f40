"""A photo's way in: asked for here, sent straight to S3, and said to be complete here."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.services import fingerprints
from api.services.errors import (
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    NothingUploadedError,
    PhotoTooLargeError,
    PostDeletedError,
    UnsupportedPhotoTypeError,
)
from graph import Graph
from graph.errors import KeyInFlightError, KeyTakenError, NotFoundError
from graph.ids import with_new_id
from graph.photos import Photo
from storage import Storage
from storage.photos import Upload

MAX_PHOTO_BYTES = 15_000_000
"""15 MB: what a phone's largest JPEG needs, and half as much again."""

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/gif")

_KEPT_WAITING = timedelta(days=1)
"""An upload not completed by then is swept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A photo that waits for its bytes, and where to send them."""

    photo: Photo
    upload: Upload
    replayed: bool


def begin(
    graph: Graph,
    storage: Storage,
    *,
    owner_id: int,
    content_type: str,
    size_bytes: int,
    checksum_sha256: str | None,
    alt_text: str | None,
    key: str | None,
) -> Begun:
    """A new photo, or with a key seen before the one it made, and a presigned PUT for it.

    Raises PhotoTooLargeError, UnsupportedPhotoTypeError, IdempotencyKeyReusedError,
    IdempotencyKeyInFlightError, PostDeletedError.
    """
    _require_acceptable(content_type, size_bytes)
    declared: dict[str, Any] = {
        "content_type": content_type,
        "size_bytes": size_bytes,
        "checksum_sha256": checksum_sha256,
        "alt_text": alt_text,
    }
    fingerprint = fingerprints.of("photo", declared)
    try:
        photo = with_new_id(
            lambda photo_id: graph.photos.create(
                photo_id=photo_id,
                owner_id=owner_id,
                path=secrets.token_urlsafe(16),
                expires_at=datetime.now(UTC) + _KEPT_WAITING,
                key=key,
                fingerprint=fingerprint if key else None,
                **declared,
            )
        )
    except KeyInFlightError:
        raise IdempotencyKeyInFlightError from None
    except KeyTakenError as taken:
        if taken.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError from None
        photo = _made_before(graph, taken.result_id, owner_id)
        return Begun(photo=photo, upload=_upload(storage, photo), replayed=True)
    return Begun(photo=photo, upload=_upload(storage, photo), replayed=False)


def _made_before(graph: Graph, photo_id: int, owner_id: int) -> Photo:
    """The photo that a key made. Only with its post is one ever taken away."""
    try:
        return graph.photos.by_id(photo_id, owner_id=owner_id)
    except NotFoundError:
        raise PostDeletedError from None


def complete(graph: Graph, storage: Storage, photo_id: int, *, owner_id: int) -> Photo:
    """The photo, from now on being processed; said again it is only looked up.

    Raises NotFoundError, NothingUploadedError, StorageUnavailableError.
    """
    photo = graph.photos.by_id(photo_id, owner_id=owner_id)
    if photo.state != "waiting":
        return photo
    if storage.photos.uploaded_size(photo.path) is None:
        raise NothingUploadedError
    photo, event = graph.photos.complete(photo_id, owner_id=owner_id)
    storage.queues.wake(event)
    return photo


def _require_acceptable(content_type: str, size_bytes: int) -> None:
    if content_type not in CONTENT_TYPES:
        raise UnsupportedPhotoTypeError
    if size_bytes > MAX_PHOTO_BYTES:
        raise PhotoTooLargeError


def _upload(storage: Storage, photo: Photo) -> Upload:
    return storage.photos.presign_upload(
        photo.path,
        content_type=photo.content_type,
        size_bytes=photo.size_bytes,
        checksum_sha256=photo.checksum_sha256,
    )
