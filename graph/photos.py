"""Photos, from the upload's permission to the post."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.connection import Connection
from graph.errors import ConstraintViolatedError, IdTakenError, KeyTakenError, NotFoundError
from graph.events import Event, event_of
from graph.idempotency_keys import KEY_LIFE_MS, TRIES, IdempotencyKeys
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
    """One photo. States: waiting, processing, ready, failed (`failure_code`), expired.

    `path` is the unguessable part of its objects' names; `checksum_sha256` is base64.
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
    """Creates photos and moves them from state to state."""

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
        """A new photo, waiting for its upload, and its idempotency key if one was sent.

        Raises KeyTakenError; KeyInFlightError after 2 s of waiting for another photo with this
        key; NotFoundError (no such active user); IdTakenError.
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
        for _ in range(TRIES):
            if photo := self._try(parameters):
                return photo
        raise IdTakenError(photo_id)

    def _try(self, parameters: dict[str, Any]) -> Photo | None:
        """The photo; None if its key had expired and has been freed for another try."""
        try:
            rows = self._write(parameters)
        except ConstraintViolatedError as error:
            if created := self._created_before(parameters):
                return created
            if error.of != "IdempotencyKey":
                raise IdTakenError(parameters["photo_id"]) from error
            self._free(parameters["owner_id"], parameters["key"])
            return None
        if not rows:
            raise NotFoundError
        return _photo_of(rows[0])

    def _write(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if parameters["key"] is None:
            return self._connection.write(CREATE, **parameters)
        return self._connection.write_with_key(CREATE, **parameters)

    def _created_before(self, parameters: dict[str, Any]) -> Photo | None:
        """The photo of a create() whose own first try had been committed after all."""
        photo = self.get(parameters["photo_id"])
        own = (parameters["owner_id"], parameters["path"])
        return photo if photo and (photo.owner_id, photo.path) == own else None

    def _free(self, owner_id: int, key: str) -> None:
        """Take the key away where it has expired; raises KeyTakenError where it has not."""
        if used := self._keys.by_key(owner_id, key):
            raise KeyTakenError(fingerprint=used.fingerprint, result_id=used.result_id)
        self._keys.free(owner_id, key)

    def by_id(self, photo_id: int, *, owner_id: int) -> Photo:
        """A photo of this owner. Raises NotFoundError, also for another's."""
        photo = self.get(photo_id)
        if photo is None or photo.owner_id != owner_id:
            raise NotFoundError
        return photo

    def get(self, photo_id: int) -> Photo | None:
        """A photo, whosever it is, for a worker."""
        rows = self._connection.read(BY_ID, photo_id=photo_id)
        return _photo_of(rows[0]) if rows else None

    def complete(self, photo_id: int, *, owner_id: int) -> tuple[Photo, Event | None]:
        """The photo, now processing, and its event; unchanged and None in a later state.

        Raises NotFoundError, also for another's.
        """
        rows = self._connection.write_with_event(COMPLETE, photo_id=photo_id, owner_id=owner_id)
        if not rows:
            raise NotFoundError
        return _photo_of(rows[0]), event_of(rows[0])

    def set_ready(self, photo_id: int, *, width: int, height: int, blurhash: str) -> bool:
        """Note that the renditions exist; False if the photo was not processing."""
        rows = self._connection.write(
            SET_READY, photo_id=photo_id, width=width, height=height, blurhash=blurhash
        )
        return bool(rows)

    def set_failed(self, photo_id: int, code: str) -> bool:
        """Note why there will be no renditions; False if the photo was not processing."""
        return bool(self._connection.write(SET_FAILED, photo_id=photo_id, code=code))

    def overdue(self, before_id: int, limit: int) -> list[Photo]:
        """Photos with ids below this that still wait for their upload, oldest first."""
        rows = self._connection.read(OVERDUE, before_id=before_id, limit=limit)
        return [_photo_of(row) for row in rows]

    def set_expired(self, photo_ids: Sequence[int]) -> list[int]:
        """Give up those of these photos that still wait; which ones that were."""
        rows = self._connection.write(SET_EXPIRED, photo_ids=sorted(photo_ids))
        return list(rows[0]["photo_ids"])
