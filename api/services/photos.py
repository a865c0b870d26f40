"""The upload of a photo: created here, sent by the client to S3, reported complete here."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.services import fingerprints
from api.services.errors import (
    CompletionsInProgressError,
    IdempotencyKeyInFlightError,
    IdempotencyKeyReusedError,
    NothingUploadedError,
    PhotoTooLargeError,
    PostDeletedError,
    UnsupportedPhotoTypeError,
    UploadLimitReachedError,
)
from bounds.one_each import OneEach
from graph import Graph
from graph.errors import KeyInFlightError, KeyTakenError, NotFoundError
from graph.ids import with_new_id
from graph.photos import Photo
from storage import Storage
from storage.limits import Charge, Policy
from storage.photos import Upload

MAX_PHOTO_BYTES = 15_000_000
"""15 MB: a phone's largest JPEG takes about 10 MB."""

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/gif")

COMPLETIONS_OF_A_USER = 4
"""Completions of one user at one process: one asks S3, the others wait for it."""
OWN_WAIT_SECONDS = 0.3
"""How long they wait. A healthy S3 answers in a few milliseconds, a slow one has two turns for all
users: without this bound one user could hold both."""

_UPLOAD_TTL = timedelta(days=1)
"""A photo whose upload is not complete by then expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPhoto:
    """A photo that waits for its upload, and the presigned PUT."""

    photo: Photo
    upload: Upload
    replayed: bool
    """Whether an earlier request with the same key created it."""


def create(
    graph: Graph,
    storage: Storage,
    *,
    owner_id: int,
    content_type: str,
    size_bytes: int,
    checksum_sha256: str | None,
    alt_text: str | None,
    key: str | None,
    daily: tuple[Policy, Policy],
) -> CreatedPhoto:
    """A new photo and a presigned PUT for it; with a key sent before, the photo of that key.

    `daily`: how many photos, and how many bytes of them, the owner may create in a day. A repeated
    key counts nothing. Raises PhotoTooLargeError, UnsupportedPhotoTypeError,
    UploadLimitReachedError, IdempotencyKeyReusedError, IdempotencyKeyInFlightError,
    PostDeletedError.
    """
    _require_acceptable(content_type, size_bytes)
    declared: dict[str, Any] = {
        "content_type": content_type,
        "size_bytes": size_bytes,
        "checksum_sha256": checksum_sha256,
        "alt_text": alt_text,
    }
    fingerprint = fingerprints.of("photo", declared)
    photos_a_day, bytes_a_day = daily
    charges = (
        Charge(policy=photos_a_day, amount=1),
        Charge(policy=bytes_a_day, amount=size_bytes),
    )
    try:
        with _charged(graph, storage, charges, owner_id=owner_id, key=key):
            photo = with_new_id(
                lambda photo_id: graph.photos.create(
                    photo_id=photo_id,
                    owner_id=owner_id,
                    path=secrets.token_urlsafe(16),
                    expires_at=datetime.now(UTC) + _UPLOAD_TTL,
                    key=key,
                    fingerprint=fingerprint if key else None,
                    **declared,
                )
            )
    except KeyInFlightError:
        raise IdempotencyKeyInFlightError from None
    except KeyTakenError as error:
        if error.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError from None
        photo = _photo_of_key(graph, error.result_id, owner_id)
        return CreatedPhoto(photo=photo, upload=_presign_upload(storage, photo), replayed=True)
    return CreatedPhoto(photo=photo, upload=_presign_upload(storage, photo), replayed=False)


def new_completions() -> OneEach:
    """The turns of a process for completions, by owner."""
    return OneEach(wait_seconds=OWN_WAIT_SECONDS, callers=COMPLETIONS_OF_A_USER)


def complete(
    graph: Graph, storage: Storage, completions: OneEach, photo_id: int, *, owner_id: int
) -> Photo:
    """The photo, whose processing begins now; on a repeat the photo in its present state.

    Raises NotFoundError, NothingUploadedError, CompletionsInProgressError,
    StorageUnavailableError.
    """
    photo = graph.photos.by_id(photo_id, owner_id=owner_id)
    if photo.state != "waiting":
        return photo
    with completions.turn(owner_id, CompletionsInProgressError):
        size = storage.photos.upload_size(photo.path)
    if size is None:
        raise NothingUploadedError
    photo, event = graph.photos.complete(photo_id, owner_id=owner_id)
    storage.queues.wake(event)
    return photo


def delete(graph: Graph, storage: Storage, photo_id: int, *, owner_id: int) -> None:
    """Delete an unposted photo; it can be repeated for 24 hours. Its event removes the objects.

    Raises NotFoundError, PhotoPostedError.
    """
    event = graph.photos.delete(photo_id, owner_id=owner_id)
    storage.queues.wake(event)


@contextmanager
def _charged(
    graph: Graph,
    storage: Storage,
    charges: tuple[Charge, ...],
    *,
    owner_id: int,
    key: str | None,
) -> Iterator[None]:
    """Counts the charges for the block; takes them back if the block fails.

    Raises UploadLimitReachedError, but not for a key that was sent before: its photo exists, and
    the block finds it.
    """
    uses = storage.limits.charge(charges, owner_id)
    refused = [use for use in uses if not use.allowed]
    if refused and not (key and graph.idempotency_keys.by_key(owner_id, key)):
        raise UploadLimitReachedError(retry_after=max(1, *(use.reset_seconds for use in refused)))
    try:
        yield
    except Exception:
        if not refused:
            storage.limits.refund(charges, owner_id)
        raise


def _require_acceptable(content_type: str, size_bytes: int) -> None:
    """Raises UnsupportedPhotoTypeError, PhotoTooLargeError."""
    if content_type not in CONTENT_TYPES:
        raise UnsupportedPhotoTypeError
    if size_bytes > MAX_PHOTO_BYTES:
        raise PhotoTooLargeError


def _photo_of_key(graph: Graph, photo_id: int, owner_id: int) -> Photo:
    """The photo that an earlier request created. It can only be absent if its post was deleted."""
    try:
        return graph.photos.by_id(photo_id, owner_id=owner_id)
    except NotFoundError:
        raise PostDeletedError from None


def _presign_upload(storage: Storage, photo: Photo) -> Upload:
    return storage.photos.presign_upload(
        photo.path,
        content_type=photo.content_type,
        size_bytes=photo.size_bytes,
        checksum_sha256=photo.checksum_sha256,
    )
