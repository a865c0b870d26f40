"""The parts of exports in S3: private, written by workers, downloaded by signed links.

```text
exports/<path>/<number>-<epoch>.zip    a part; the path is unguessable
```

The epoch is that of the claim under which a worker made the part. So the late object of a fenced
worker never replaces a part that another one has recorded. All objects of an export are found by
the path.
"""

import threading
from datetime import datetime
from typing import Any, Protocol

from storage.errors import StorageUnavailableError
from storage.s3 import (
    LIST_PAGE,
    PART,
    S3Circuit,
    SweptPage,
    answers,
    open_client,
    sweep_page,
    try_to_delete,
    unavailable,
)
from storage.settings import StorageSettings

FOLDER = "exports/"
READ_SECONDS = 10.0
"""The time-out for each answer. A call is tried once: a worker makes the part again."""
PROBE_SECONDS = 2.0
"""Time between two probes of an open circuit."""
MOST_PAGES = 100
"""Pages of objects that one call removes: more than the parts of any export."""
CONTENT_TYPE = "application/zip"


class PartFile(Protocol):
    """The file of a part, at its beginning."""

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102
    def seek(self, offset: int, whence: int = 0, /) -> int: ...  # noqa: D102
    def tell(self) -> int: ...  # noqa: D102


class ExportObjects:
    """The objects of exports, by their random `path`. Methods raise StorageUnavailableError.

    The client is opened at the first use, as most processes need none.
    """

    def __init__(self, settings: StorageSettings) -> None:
        self.part_bytes = settings.export_part_bytes
        self._settings = settings
        self._bucket = settings.s3_bucket
        self._opened: Any = None
        self._lock = threading.Lock()
        self._circuit = S3Circuit(
            PART,
            failures_to_open=1,
            open_seconds=PROBE_SECONDS,
            probe=lambda: answers(self._client, self._bucket),
        )

    def store_part(
        self, path: str, number: int, epoch: int, body: PartFile, *, file_name: str
    ) -> None:
        """Store a part. Browsers save it under `file_name`, of ASCII. Reads `body` in blocks."""
        with self._circuit.guard():
            self._client.put_object(
                Bucket=self._bucket,
                Key=_key(path, number, epoch),
                Body=body,
                ContentType=CONTENT_TYPE,
                ContentDisposition=f'attachment; filename="{file_name}"',
                CacheControl="private, no-store",
            )

    def link(self, path: str, number: int, epoch: int, *, seconds: int) -> str:
        """A URL by which anybody can download the part for so long.

        It is computed here, without a call to S3.
        """
        url = self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": _key(path, number, epoch)},
            ExpiresIn=seconds,
        )
        return str(url)

    def remove_part(self, path: str, number: int, epoch: int) -> None:
        """Remove one object, which may be absent."""
        with self._circuit.guard():
            self._client.delete_object(Bucket=self._bucket, Key=_key(path, number, epoch))

    def remove(self, path: str) -> None:
        """Remove all objects of an export, recorded or not. Repeating it is safe.

        Raises StorageUnavailableError, also if one of them is refused.
        """
        with self._circuit.guard():
            for _ in range(MOST_PAGES):
                keys = self._keys(path)
                if not keys:
                    return
                for code in try_to_delete(self._client, self._bucket, keys).values():
                    raise unavailable(code, f"{code} in a delete request")
        raise StorageUnavailableError(PART, "there are objects after they were removed")

    def sweep(
        self, older_than: datetime, *, after_key: str = "", limit: int = LIST_PAGE
    ) -> SweptPage:
        """Remove those of the next `limit` objects of all exports that are older than that."""
        with self._circuit.guard():
            return sweep_page(
                self._client, self._bucket, FOLDER, older_than, after_key=after_key, limit=limit
            )

    def close(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            self._opened.close()

    def _keys(self, path: str) -> list[str]:
        """A page of the keys of an export's objects."""
        page = self._client.list_objects_v2(
            Bucket=self._bucket, Prefix=f"{FOLDER}{path}/", MaxKeys=LIST_PAGE
        )
        return [entry["Key"] for entry in page.get("Contents", ())]

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._opened is None:
                self._opened = open_client(self._settings, read_seconds=READ_SECONDS, attempts=1)
            return self._opened


def _key(path: str, number: int, epoch: int) -> str:
    return f"{FOLDER}{path}/{number}-{epoch}.zip"
