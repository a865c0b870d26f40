"""The photos of an export: the originals, as they were uploaded."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from graph import Graph
from graph.photos import Photo
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.exports import records
from workers.exports.part import Part
from workers.exports.turn import Turn

log = structlog.get_logger()

PAGE = 100
"""Photos that one statement reads."""
FAILING_SECONDS = 600.0
"""Time for which S3 fails for a photo, while it gives others, until the photo is left out."""
LONE_FAILING_SECONDS = 3_600.0
"""The same where there is no other photo. S3 takes the part, or nothing is recorded."""
MOST_FAILING = 1_000
"""The most photos whose failures a process remembers."""

_failing_since: dict[int, float] = {}
"""Photo → when S3 first failed for it in this process, by the monotonic clock."""


@dataclass(slots=True, kw_only=True)
class PhotoWriter:
    """Writes an owner's originals into one part."""

    graph: Graph
    storage: Storage
    part: Part
    turn: Turn
    added: list[Photo] = field(default_factory=list)
    missing: list[Photo] = field(default_factory=list)
    """Photos whose file cannot be read."""
    _failing: list[Photo] = field(default_factory=list)
    """Photos that are missing if S3 gives another one in this turn."""

    def write(self, owner_id: int, before: int) -> int | None:
        """Add the originals, newest first, until the part is full or its time is over.

        Returns the id below which the rest is, None at the end. An empty part gets at least one
        photo. Raises FencedError, StorageUnavailableError, GraphUnavailableError.
        """
        rest = before
        for photo in self._photos_of(owner_id, before):
            is_late = rest != before and self.turn.is_over
            if is_late or not self.part.has_room(photo.size_bytes):
                return self._end(rest)
            try:
                self._add(photo)
            except StorageUnavailableError:
                if self.part.is_empty:
                    raise
                return self._end(rest)  # the next part begins with this photo
            rest = photo.id
        return self._end(None)

    def _photos_of(self, owner_id: int, before: int) -> Iterator[Photo]:
        """The owner's photos that have an original, newest first."""
        next_before: int | None = before
        while next_before is not None:
            photos, next_before = self.graph.photos.by_owner(
                owner_id, state="ready", before=next_before, limit=PAGE
            )
            yield from photos

    def _add(self, photo: Photo) -> None:
        """Add the photo's file, or note that it is missing. One just deleted is left out."""
        self.turn.go_on()
        try:
            data = self.storage.photos.read_original(
                photo.path, limit_bytes=photo.size_bytes, at_each_part=self.turn.go_on
            )
        except StorageUnavailableError:
            if _failing_seconds(photo) < FAILING_SECONDS:
                raise
            self._failing.append(photo)
            return
        _failing_since.pop(photo.id, None)
        if data is not None:
            at = records.shown_at(photo)
            self.part.add(records.file_of(photo), data, at, is_compressed=False)
            self.added.append(photo)
        elif not self._is_deleted(photo):
            log.error("original missing", photo_id=photo.id)
            self.missing.append(photo)

    def _is_deleted(self, photo: Photo) -> bool:
        """Whether the photo, or the post that showed it, is deleted: its file went after that."""
        latest = self.graph.photos.get(photo.id)
        if latest is None or latest.state == "deleted":
            return True
        return latest.post_id is None and latest.unposted_until is None

    def _end(self, rest: int | None) -> int | None:
        """The rest, if what has failed has failed alone, or for very long.

        Raises StorageUnavailableError if S3 gave no other photo in this turn.
        """
        is_alone = not self.added
        for photo in self._failing:
            if is_alone and _failing_seconds(photo) < LONE_FAILING_SECONDS:
                raise StorageUnavailableError("s3", "it gives no photo")
        for photo in self._failing:
            log.error("photo left out of an export", photo_id=photo.id)
        self.missing += self._failing
        return rest


def _failing_seconds(photo: Photo) -> float:
    """The time since S3 first failed for the photo in this process; 0 for the first time."""
    if len(_failing_since) >= MOST_FAILING:
        _failing_since.clear()
    now = time.monotonic()
    return now - _failing_since.setdefault(photo.id, now)
