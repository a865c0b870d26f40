"""Photos, from the permission to upload until a post shows them, or nobody has posted them in time.

Two properties, both in Unix milliseconds of the graph's clock, tell the sweeper what to do:

- `unposted_until`: when the state of an unposted photo ends. A posted photo has none.
- `objects_until`: when the objects in S3 are removed of which no event takes care. A photo that is
  being processed, is ready, or is posted has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import (
    ConstraintViolatedError,
    IdTakenError,
    KeyTakenError,
    NotFoundError,
    PhotoPostedError,
)
from graph.events import Event, event_of
from graph.idempotency_keys import CREATE_ATTEMPTS, KEY_LIFE_MS, IdempotencyKeys
from graph.ids import from_ms, to_ms
from graph.queries import load

CREATE = load("photos/create")
BY_ID = load("photos/by_id")
COMPLETE = load("photos/complete")
SET_READY = load("photos/set_ready")
SET_FAILED = load("photos/set_failed")
BY_OWNER = load("photos/by_owner")
BY_OWNER_AND_STATE = load("photos/by_owner_and_state")
DELETE = load("photos/delete")
UNPOSTED_IDS = load("photos/unposted_ids")
EXPIRE = load("photos/expire")
WITH_OBJECTS = load("photos/with_objects")
SET_WITHOUT_OBJECTS = load("photos/set_without_objects")
UPGRADE = load("photos/upgrade")

_HOUR_MS = 3_600_000

UNPOSTED_LIFE_MS = 24 * _HOUR_MS
"""Time for which a photo may wait for its upload, and then, when it is ready, for a post."""

PROCESSING_LIFE_MS = 7 * 24 * _HOUR_MS
"""Time for which a photo may be in processing: its event can be in quarantine for days."""

ENDED_LIFE_MS = 7 * 24 * _HOUR_MS
"""Time for which the node of a failed or expired photo is stored."""

DELETED_LIFE_MS = 25 * _HOUR_MS
"""Time for which the node of a deleted photo is stored: a repeated DELETE succeeds for a day."""

UPLOAD_LIFE_MS = KEY_LIFE_MS + 2 * _HOUR_MS
"""Time after the creation at which no upload can begin any more: a repeated request gets a new
upload URL, valid for an hour, as long as its idempotency key lives."""

LATE_UPLOAD_MS = 2 * _HOUR_MS
"""The same after the deletion of a photo, which gets no new upload URL."""

PUT_OFF_MS = _HOUR_MS
"""Delay of what could not be done because objects could not be removed."""

UPGRADE_NAME = "unposted-photos"
"""The name of the upgrade of photos of older versions in the graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo, in one of the states waiting, processing, ready, failed (`failure_code`), expired.

    For a worker there is also deleted, which no owner sees. `path` is the unguessable part of its
    objects' names in S3; `checksum_sha256` is base64.
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
    unposted_until: datetime | None
    """When the state ends if nobody posts the photo; None after that, and for old photos."""
    post_id: int | None = None
    """The post that shows it, where it was looked up."""


def _photo_of(row: dict[str, Any]) -> Photo:
    fields, until = row["photo"], row["photo"]["unposted_until"]
    times = {
        "expires_at": from_ms(fields["expires_at"]),
        "unposted_until": None if until is None else from_ms(until),
    }
    return Photo(**fields | times, post_id=row.get("post_id"))


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
            "unposted_ms": UNPOSTED_LIFE_MS,
            "upload_ms": UPLOAD_LIFE_MS,
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
        """A photo of this owner. Raises NotFoundError, also for another's or a deleted photo."""
        photo = self.get(photo_id)
        if photo is None or photo.owner_id != owner_id or photo.state == "deleted":
            raise NotFoundError
        return photo

    def by_owner(
        self, owner_id: int, *, state: str | None, before: int, limit: int
    ) -> tuple[list[Photo], int | None]:
        """An owner's photos, newest first, and `before` for the next page; None without one.

        `state`: only those in this state.
        """
        query = BY_OWNER if state is None else BY_OWNER_AND_STATE
        states = {} if state is None else {"state": state}
        rows = self._connection.read(
            query, owner_id=owner_id, before=before, limit=limit + 1, **states
        )
        photos = [_photo_of(row) for row in rows]
        return photos[:limit], photos[limit - 1].id if len(photos) > limit else None

    def unposted_ids(self, owner_id: int, limit: int) -> list[int]:
        """Ids of an owner's photos that no post shows or has shown, and that are not deleted."""
        rows = self._connection.read(UNPOSTED_IDS, owner_id=owner_id, limit=limit)
        return list(rows[0]["photo_ids"])

    def get(self, photo_id: int) -> Photo | None:
        """A photo of any owner and state, for a worker; None if it does not exist."""
        rows = self._connection.read(BY_ID, photo_id=photo_id)
        return _photo_of(rows[0]) if rows else None

    def complete(self, photo_id: int, *, owner_id: int) -> tuple[Photo, Event | None]:
        """Change a waiting photo to processing; returns the photo and its event.

        In a later state nothing changes, and the event is None. Raises NotFoundError, also for a
        photo of another owner.
        """
        rows = self._connection.write_with_event(
            COMPLETE, photo_id=photo_id, owner_id=owner_id, life_ms=PROCESSING_LIFE_MS
        )
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
            unposted_ms=UNPOSTED_LIFE_MS,
        )
        return rows[0]["ready"] if rows else None

    def set_failed(self, photo_id: int, code: str) -> bool:
        """Change a photo to failed, with this code. False if it was not processing."""
        return bool(
            self._connection.write(
                SET_FAILED,
                photo_id=photo_id,
                code=code,
                life_ms=ENDED_LIFE_MS,
                late_ms=LATE_UPLOAD_MS,
            )
        )

    def delete(self, photo_id: int, *, owner_id: int) -> Event | None:
        """Delete an unposted photo; returns its event, or None if it was deleted within a day.

        Raises PhotoPostedError; NotFoundError, also for a photo of another owner.
        """
        rows = self._connection.write_with_event(
            DELETE,
            photo_id=photo_id,
            owner_id=owner_id,
            life_ms=DELETED_LIFE_MS,
            upload_ms=LATE_UPLOAD_MS,
        )
        if not rows:
            raise NotFoundError
        if rows[0]["is_posted"]:
            raise PhotoPostedError(photo_id)
        return event_of(rows[0])

    def expire(self, limit: int) -> int:
        """End the states of up to `limit` unposted photos whose time is over; returns how many.

        A photo that waits, is processed or is ready becomes expired; the node of any other is
        deleted.
        """
        rows = self._connection.write(
            EXPIRE, limit=limit, life_ms=ENDED_LIFE_MS, put_off_ms=PUT_OFF_MS
        )
        return int(rows[0]["cleared"])

    def with_objects(self, limit: int) -> dict[int, str]:
        """The paths by id of up to `limit` photos whose objects are due to be removed."""
        rows = self._connection.read(WITH_OBJECTS, limit=limit)
        return {row["photo_id"]: row["path"] for row in rows}

    def set_without_objects(self, photo_ids: Sequence[int], failed_ids: Sequence[int]) -> None:
        """Record that the objects of these photos are removed; those that failed are due later."""
        self._connection.write(
            SET_WITHOUT_OBJECTS,
            photo_ids=sorted(photo_ids),
            failed_ids=list(failed_ids),
            put_off_ms=PUT_OFF_MS,
        )

    def upgrade(self, limit: int) -> int | None:
        """Give the next `limit` photos `unposted_until` if an older version created them.

        Returns how many had none; None when all photos are done. The progress is saved.
        """
        rows = self._connection.write(
            UPGRADE,
            name=UPGRADE_NAME,
            limit=limit,
            unposted_ms=UNPOSTED_LIFE_MS,
            life_ms=ENDED_LIFE_MS,
            upload_ms=UPLOAD_LIFE_MS,
        )
        return int(rows[0]["upgraded"]) if rows else None
