"""Exports of a user's data: asked for, made in parts by a worker, downloaded for a day.

Two properties, both in Unix milliseconds of the graph's clock, tell the sweeper what to do:

- `state_until`: when the state ends. An unfinished export then fails, a ready one expires, and an
  ended one is deleted. Each part puts it off.
- `objects_until`: when the objects in S3 are removed. An export that is unfinished or ready has
  none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph import events
from graph.connection import Connection
from graph.errors import (
    ConstraintViolatedError,
    ExportInProgressError,
    ExportLimitReachedError,
    IdTakenError,
    NotFoundError,
)
from graph.events import Event, event_of
from graph.ids import MAX_ID, from_ms
from graph.queries import load

CREATE = load("exports/create")
BY_ID = load("exports/by_id")
OF_USER = load("exports/of_user")
BEGIN = load("exports/begin")
ADD_PART = load("exports/add_part")
SET_FAILED = load("exports/set_failed")
EXPIRE = load("exports/expire")
WITH_OBJECTS = load("exports/with_objects")
SET_WITHOUT_OBJECTS = load("exports/set_without_objects")
DELETE = load("exports/delete")

_HOUR_MS = 3_600_000

LINK_LIFE_MS = 24 * _HOUR_MS
"""Time for which a finished export can be downloaded."""

PROGRESS_LIFE_MS = 24 * _HOUR_MS
"""Time without a further part after which an export has failed."""

ENDED_LIFE_MS = 7 * 24 * _HOUR_MS
"""Time for which the node of a failed or expired export is stored. It is longer than the window in
which exports are counted."""

WINDOW_MS = 24 * _HOUR_MS
"""The window in which the exports of a user are counted."""

LATE_OBJECT_MS = _HOUR_MS // 6
"""Time after which no fenced worker stores an object any more: RQ ends a job after a minute."""

PUT_OFF_MS = _HOUR_MS
"""Delay of what could not be done because objects could not be removed."""

NO_PROGRESS = "no-progress"
"""The code of an export that has failed as no part was made for PROGRESS_LIFE_MS."""

MOST_LISTED = 50
"""The newest exports of a user that a list has: by default more than are asked for in the life of
one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the next part begins: in a section, below an id. An empty section is the first."""

    section: str = ""
    before: int = MAX_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPart:
    """A part whose object is stored. `epoch` is that of the claim under which it was made."""

    number: int
    """From 1."""
    size_bytes: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export, in one of the states waiting, running, ready, failed (`failure_code`), expired.

    `path` is the unguessable part of its objects' names in S3.
    """

    id: int
    user_id: int
    path: str
    state: str
    failure_code: str | None
    created_at: datetime
    state_until: datetime
    left_seconds: float
    """Until `state_until`, by the graph's clock."""
    position: Position
    parts: tuple[ExportPart, ...]
    """Empty where a list of exports was read."""
    part_count: int
    size_bytes: int
    """Of all parts."""
    missing_count: int
    """Files that could not be read."""


def _export_of(row: dict[str, Any]) -> Export:
    """The export of a row. One whose links have ended is expired, before the sweeper says so."""
    fields = row["export"]
    sizes, epochs = fields.pop("part_sizes"), fields.pop("part_epochs")
    position = Position(section=fields.pop("section"), before=fields.pop("before"))
    if fields["state"] == "ready" and row["left_ms"] <= 0:
        fields["state"] = "expired"
    times = {name: from_ms(fields[name]) for name in ("created_at", "state_until")}
    parts = tuple(
        ExportPart(number=number, size_bytes=size, epoch=epoch)
        for number, (size, epoch) in enumerate(zip(sizes, epochs, strict=True), start=1)
    )
    return Export(
        **{"part_count": len(sizes), "size_bytes": sum(sizes)} | fields | times,
        left_seconds=row["left_ms"] / 1000,
        position=position,
        parts=parts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExport:
    """An export and the event that makes its parts."""

    export: Export
    event: Event | None
    """None if an attempt whose answer was lost had another event, which the sweeper finds."""


class Exports:
    """Creates and reads exports, and changes their state."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, *, export_id: int, user_id: int, path: str, most: int) -> NewExport:
        """Create an export, of which a user may ask for `most` in 24 hours.

        Raises ExportInProgressError, ExportLimitReachedError, IdTakenError; NotFoundError if the
        user is not active.
        """
        try:
            rows = self._connection.write_with_event(
                CREATE,
                export_id=export_id,
                user_id=user_id,
                path=path,
                before=MAX_ID,
                most=most,
                window_ms=WINDOW_MS,
                life_ms=PROGRESS_LIFE_MS,
            )
        except ConstraintViolatedError as error:
            raise IdTakenError(export_id) from error
        if not rows:
            raise NotFoundError
        return _created(rows[0], export_id, path)

    def by_id(self, export_id: int, *, user_id: int) -> Export:
        """An export of this user. Raises NotFoundError, also for another's."""
        rows = self._connection.read(BY_ID, export_id=export_id, user_id=user_id)
        if not rows:
            raise NotFoundError
        return _export_of(rows[0])

    def of_user(self, user_id: int, limit: int = MOST_LISTED) -> list[Export]:
        """A user's newest exports, newest first, without their parts."""
        rows = self._connection.read(OF_USER, user_id=user_id, limit=limit)
        return [_export_of(row) for row in rows]

    def begin(self, export_id: int) -> tuple[Export, bool] | None:
        """An unfinished export, running from now on, and whether its user is active.

        None if it has ended or does not exist.
        """
        rows = self._connection.write(BEGIN, export_id=export_id)
        return (_export_of(rows[0]), rows[0]["is_active"]) if rows else None

    def add_part(
        self,
        export: Export,
        event: Event,
        *,
        size_bytes: int,
        missing: int,
        rest: Position | None,
    ) -> bool:
        """Record the next part, whose object is stored, and renew the event's lease.

        `rest`: where the part after it begins; None: the export is ready. False if another worker
        has claimed the event, the export has ended, or its user is not active. Can be repeated.
        """
        position = rest or Position()
        return bool(
            self._connection.write(
                ADD_PART,
                event_id=event.id,
                epoch=event.epoch,
                lease_ms=events.LONG_LEASE_MS,
                export_id=export.id,
                number=len(export.parts) + 1,
                size_bytes=size_bytes,
                missing=missing,
                section=position.section,
                before=position.before,
                is_last=rest is None,
                life_ms=PROGRESS_LIFE_MS if rest else LINK_LIFE_MS,
            )
        )

    def set_failed(self, export_id: int, event: Event, code: str) -> bool:
        """Change an unfinished export to failed, with this code.

        False if another worker has claimed the event or the export has ended.
        """
        return bool(
            self._connection.write(
                SET_FAILED,
                event_id=event.id,
                epoch=event.epoch,
                export_id=export_id,
                code=code,
                life_ms=ENDED_LIFE_MS,
                late_ms=LATE_OBJECT_MS,
            )
        )

    def expire(self, limit: int) -> tuple[int, list[int]]:
        """End the states of up to `limit` exports whose time is over.

        Returns how many, and the ids of those that have failed with NO_PROGRESS.
        """
        rows = self._connection.write(
            EXPIRE,
            limit=limit,
            code=NO_PROGRESS,
            life_ms=ENDED_LIFE_MS,
            late_ms=LATE_OBJECT_MS,
            put_off_ms=PUT_OFF_MS,
        )
        return int(rows[0]["cleared"]), list(rows[0]["failed_ids"])

    def with_objects(self, limit: int) -> dict[int, str]:
        """The paths by id of up to `limit` exports whose objects are due to be removed."""
        rows = self._connection.read(WITH_OBJECTS, limit=limit)
        return {row["export_id"]: row["path"] for row in rows}

    def set_without_objects(self, export_id: int, *, is_removed: bool) -> None:
        """Record that the objects of an export are removed, or that they are due later."""
        self._connection.write(
            SET_WITHOUT_OBJECTS,
            export_id=export_id,
            is_removed=is_removed,
            put_off_ms=PUT_OFF_MS,
        )

    def delete(self, exports: Sequence[Export]) -> None:
        """Delete exports of users that are being deleted, once their objects are removed."""
        for export in exports:
            self._connection.write(DELETE, export_id=export.id, user_id=export.user_id)


def _created(row: dict[str, Any], export_id: int, path: str) -> NewExport:
    """The export that the row's statement, or an attempt before it, has created.

    Raises ExportInProgressError, ExportLimitReachedError, IdTakenError.
    """
    if row["export"] is None and row["unfinished_id"] is not None:
        raise ExportInProgressError(row["unfinished_id"])
    if row["export"] is None:
        raise ExportLimitReachedError(retry_after=max(1, -(-row["wait_ms"] // 1000)))
    if row["export"]["path"] != path:
        raise IdTakenError(export_id)
    return NewExport(export=_export_of(row), event=event_of(row))
