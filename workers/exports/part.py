"""A part: a zip file that can be opened alone, written to a file of no name on the disk.

Its size is bounded, so memory and disk are too. A killed process leaves nothing on the disk.
"""

import errno
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Any, Self

from storage.errors import StorageUnavailableError

MOST_FILES = 2_000
"""Files of a part: its directory is in memory."""
MARGIN_BYTES = 64_000
"""Room for the lists of the photos and for the directory at the end of a part."""
LEVEL = 6
"""Of the compression of JSON. Photos are stored as they are."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of a disk that is full for everybody, or for this user."""


@contextmanager
def on_disk() -> Iterator[None]:
    """Raises StorageUnavailableError where the disk is full: no fault of the export."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _unavailable("is full") from error


def _unavailable(why: str) -> StorageUnavailableError:
    return StorageUnavailableError(
        "TMPDIR",
        f"{_folder()} {why}: free space there, or set TMPDIR to a folder with EXPORT_PART_BYTES of "
        "space for each worker of exports",
    )


def _folder() -> str:
    """Where parts are written. `tempfile` alone would take another one when this one is full."""
    return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - its files have no name


def _open_file() -> IO[bytes]:
    """A file of no name. Raises StorageUnavailableError if the folder takes none."""
    try:
        return tempfile.TemporaryFile("w+b", dir=_folder())
    except OSError as error:
        raise _unavailable(f"takes no file ({error.strerror})") from error


class Part:
    """A part that is being written; a context manager, which discards it in the end."""

    def __init__(self, *, limit_bytes: int) -> None:
        self.file_count = 0
        self._limit_bytes = max(limit_bytes - MARGIN_BYTES, 1)
        self._file = _open_file()
        self._zip = zipfile.ZipFile(
            self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL, strict_timestamps=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with suppress(OSError, ValueError):  # or it would be closed later, after its file
            self._zip.close()
        self._file.close()

    @property
    def is_empty(self) -> bool:
        """Whether it has no file yet."""
        return self.file_count == 0

    def has_room(self, size_bytes: int = 0) -> bool:
        """Whether a file of so many bytes fits. An empty part has room for any one."""
        if self.is_empty:
            return True
        return self.file_count < MOST_FILES and self._file.tell() + size_bytes < self._limit_bytes

    def add(self, name: str, data: bytes, at: datetime, *, is_compressed: bool) -> None:
        """Add a file of this time."""
        kind = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
        self._zip.writestr(_entry(name, at, kind), data, compress_type=kind)
        self.file_count += 1

    def add_json(self, name: str, value: Any, at: datetime) -> None:
        """Add a file with this value."""
        self.add(name, json_of(value, indent=2) + b"\n", at, is_compressed=True)

    @contextmanager
    def json_list(self, name: str, at: datetime) -> Iterator[Callable[[Any], None]]:
        """Add a file with a JSON array, an item a line; yields what adds an item.

        Items are written as they come, so the list is not in memory. The part is not empty any
        more, so a list that begins it has an end too.
        """
        separator = b"[\n"
        self.file_count += 1
        with self._zip.open(_entry(name, at, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as file:

            def add(item: Any) -> None:
                nonlocal separator
                file.write(separator + json_of(item))
                separator = b",\n"

            yield add
            file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")

    def finish(self) -> tuple[IO[bytes], int]:
        """Write the directory; returns the file, at its beginning, and its size."""
        self._zip.close()
        size = self._file.seek(0, 2)
        self._file.seek(0)
        return self._file, size


def json_of(value: Any, *, indent: int | None = None) -> bytes:
    """The value as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode()


def _entry(name: str, at: datetime, kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, at.astimezone(UTC).timetuple()[:6])
    entry.compress_type = kind
    return entry
