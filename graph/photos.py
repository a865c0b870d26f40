"""Photos, from the permission to upload until a post shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import ConstraintViolatedError, IdTakenError, KeyTakenError, NotFoundError
from graph.events import Event, event_of
from graph.idempotency_keys import CREATE_ATTEMPTS, KEY_LIFE_MS, IdempotencyKeys
from graph.ids import from_ms, to_ms
from graph.queries import load

CREATE = load("photos/create")
BY_ID = load("photos/by_id")
COMPLETE = load("photos/complete")
SET_READY = load("photos/set_ready")
SET_FAILED = load("photos/set_failed")
OVERDUE = load("photos/overdue")
SET_EXPIRED = load("photos/set_expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo, in one of the states waiting, processing, ready, failed (`failure_code`), expired.

    `path` is the unguessable part of its objects' names in S3; `checksum_sha256` is base64.
    """

    id: int
    owner_id: int
    path: str
    state: str
    failure_code: str | None
    content_type: str
    size_bytes: int
    width: int | None
    height: int | None
    blurhash: str | None
    alt_text: str | None
    checksum_sha256: str | None
    expires_at: datetime


def _photo_of(row: dict[str, Any]) -> Photo:
    fields = row["photo"]
    return Photo(**fields | {"expires_at": from_ms(fields["expires_at"])})


class Photos:
    """Creates and reads photos, and changes their state."""

    def __init__(self, connection: Connection, keys: IdempotencyKeys) -> None:
        self._connection = connection
        self._keys = keys

    def create(
        self,
        *,
        photo_id: int,
        owner_id: int,
        path: str,
        content_type: str,
        size_bytes: int,
        checksum_sha256: str | None,
        alt_text: str | None,
        expires_at: datetime,
        key: str | None,
        fingerprint: str | None,
    ) -> Photo:
        """A new photo in state waiting; its idempotency key is stored with it, unless None.

        Raises KeyTakenError; KeyInFlightError after waiting 2 s for another photo with this key;
        NotFoundError if the owner is not an active user; IdTakenError.
        """
        parameters: dict[str, Any] = {
            "photo_id": photo_id,
            "owner_id": owner_id,
            "path": path,
            "content_type": content_type,
            "size_bytes": size_bytes,
            "checksum_sha256": checksum_sha256,
            "alt_text": alt_text,
            "expires_at": to_ms(expires_at),
            "key": key,
            "fingerprint": fingerprint,
            "key_life_ms": KEY_LIFE_MS,
        }
        for _ in range(CREATE_ATTEMPTS):
            if photo := self._try_to_create(parameters):
                return photo
        raise IdTakenError(photo_id)

    def _try_to_create(self, parameters: dict[str, Any]) -> Photo | None:
        """The photo; None if an expired key was deleted, so that another attempt may succeed."""
        try:
            rows = self._write(parameters)
        except ConstraintViolatedError as error:
            if photo := self._find_committed(parameters):
                return photo
            if error.entity != "IdempotencyKey":
                raise IdTakenError(parameters["photo_id"]) from error
            self._free_expired_key(parameters["owner_id"], parameters["key"])
            return None
        if not rows:
            raise NotFoundError
        return _photo_of(rows[0])

    def _write(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if parameters["key"] is None:
            return self._connection.write(CREATE, **parameters)
        return self._connection.write_with_key(CREATE, **parameters)

    def _find_committed(self, parameters: dict[str, Any]) -> Photo | None:
        """The photo of an earlier attempt that was committed although its answer was lost."""
        photo = self.get(parameters["photo_id"])
        own = (parameters["owner_id"], parameters["path"])
        return photo if photo and (photo.owner_id, photo.path) == own else None

    def _free_expired_key(self, owner_id: int, key: str) -> None:
        """Delete an expired key. Raises KeyTakenError if the key has not expired."""
        if used := self._keys.by_key(owner_id, key):
            raise KeyTakenError(fingerprint=used.fingerprint, result_id=used.result_id)
        self._keys.free(owner_id, key)

    def by_id(self, photo_id: int, *, owner_id: int) -> Photo:
        """A photo of this owner. Raises NotFoundError, also for a photo of another owner."""
        photo = self.get(photo_id)
        if photo is None or photo.owner_id != owner_id:
            raise NotFoundError
        return photo

    def get(self, photo_id: int) -> Photo | None:
        """A photo of any owner, for a worker; None if it does not exist."""
        rows = self._connection.read(BY_ID, photo_id=photo_id)
        return _photo_of(rows[0]) if rows else None

    def complete(self, photo_id: int, *, owner_id: int) -> tuple[Photo, Event | None]:
        """Change a waiting photo to processing; returns the photo and its event.

        In a later state nothing changes, and the event is None. Raises NotFoundError, also for a
        photo of another owner.
        """
        rows = self._connection.write_with_event(COMPLETE, photo_id=photo_id, owner_id=owner_id)
        if not rows:
            raise NotFoundError
        return _photo_of(rows[0]), event_of(rows[0])

    def set_ready(
        self, photo_id: int, event: Event, *, width: int, height: int, blurhash: str
    ) -> bool | None:
        """Change a photo to ready, as its renditions exist, and finish its event.

        False, and the event stays, if the photo was not processing. None if another worker has
        claimed the event.
        """
        rows = self._connection.write(
            SET_READY,
            event_id=event.id,
            epoch=event.epoch,
            photo_id=photo_id,
            width=width,
            height=height,
            blurhash=blurhash,
        )
        return rows[0]["ready"] if rows else None

    def set_failed(self, photo_id: int, code: str) -> bool:
        """Change a photo to failed, with this code. False if it was not processing."""
        return bool(self._connection.write(SET_FAILED, photo_id=photo_id, code=code))

    def overdue(self, before_id: int, limit: int) -> list[Photo]:
        """Waiting photos with an id below this, oldest first."""
        rows = self._connection.read(OVERDUE, before_id=before_id, limit=limit)
        return [_photo_of(row) for row in rows]

    def set_expired(self, photo_ids: Sequence[int]) -> list[int]:
        """Change the waiting ones of these photos to expired; returns their ids."""
        rows = self._connection.write(SET_EXPIRED, photo_ids=sorted(photo_ids))
        return list(rows[0]["photo_ids"])
