"""Photos in S3: uploads, originals, and renditions, which anyone may GET.

```text
incoming/<path>            uploads by presigned PUT; private, removed after processing
originals/<path>           checked uploads; private, never served
media/<path>/<side>.jpg    renditions; anonymous GET, unguessable path, immutable
exports/…                  parts of exports: storage/exports.py
probe/                     empty; listed to see whether S3 answers
```
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from bounds.turns import Turns
from observing import metrics
from storage.errors import StorageUnavailableError
from storage.s3 import (
    LIST_PAGE,
    PART,
    S3Circuit,
    SweptPage,
    answers,
    error_code,
    open_client,
    sweep_page,
    try_to_delete,
    unavailable,
)
from storage.settings import StorageSettings

RENDITION_SIDES = (1080, 640, 320)
"""Usual longest sides in pixels, and the names of the objects. Equal to those of the module
workers/photos/imaging.py."""
UPLOAD_SECONDS = 3600
"""How long a presigned PUT is valid."""
_IMMUTABLE = "public, max-age=31536000, immutable"
_MISSING_OBJECT = {"404", "NoSuchKey", "NotFound"}
_MISSING_BUCKET = {"404", "NoSuchBucket"}
_EXISTING_BUCKET = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
_PART_BYTES = 64 * 1024
"""An upload is read in parts of this size."""

READ_SECONDS = 10.0
"""A worker's time-out for each read. Workers move whole photos, and try each call three times."""
QUICK_READ_SECONDS = 2.0
"""The time-out of a call for which a request waits, and of a probe. It is tried once."""
QUICK_CALLS = 2
"""Calls of requests at a time. They hold two of the eight requests that a process works on."""
TURN_SECONDS = 0.1
"""How long a request waits for such a call to end: a healthy S3 answers in a few milliseconds."""
BUSY_SECONDS = 1.0
"""After a wait in vain no request waits for so long."""
QUICK_FAILURES_TO_OPEN = 3
QUICK_FORGET_SECONDS = 10.0
PROBE_SECONDS = 2.0
"""Time between two probes of an open circuit: not shorter than a probe takes to fail."""
PROBE_PREFIX = "probe/"
"""Of no object: processes that may not list the bucket may look here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A presigned PUT: valid with exactly these headers, until `expires_at`.

    Content-Length is signed too. It is not in `headers`, because every HTTP client sends it.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class Photos:
    """The objects of photos, by their random `path`. Methods raise StorageUnavailableError."""

    def __init__(self, settings: StorageSettings) -> None:
        self._bucket = settings.s3_bucket
        self.media_url = settings.media_base_url.rstrip("/") + "/media"
        self._cors_origins = settings.s3_cors_origins
        self._client = open_client(settings, read_seconds=READ_SECONDS, attempts=3)
        self._quick_client = open_client(settings, read_seconds=QUICK_READ_SECONDS, attempts=1)
        # A worker's call can wait half a minute in vain: one failure is enough for a probe.
        self._circuit = S3Circuit(
            PART,
            failures_to_open=1,
            open_seconds=PROBE_SECONDS,
            probe=lambda: answers(self._quick_client, self._bucket),
        )
        self._quick_circuit = S3Circuit(
            PART,
            failures_to_open=QUICK_FAILURES_TO_OPEN,
            forget_seconds=QUICK_FORGET_SECONDS,
            open_seconds=PROBE_SECONDS,
        )
        self._quick_turns = Turns(QUICK_CALLS, wait_seconds=TURN_SECONDS, busy_seconds=BUSY_SECONDS)

    def presign_upload(
        self,
        path: str,
        *,
        content_type: str,
        size_bytes: int,
        checksum_sha256: str | None,
        expires_seconds: int = UPLOAD_SECONDS,
    ) -> Upload:
        """A presigned PUT of exactly this type, length and SHA-256 (base64).

        S3 refuses an upload that differs. The URL is computed here, without a call to S3.
        """
        signed: dict[str, Any] = {"ContentType": content_type, "ContentLength": size_bytes}
        headers = {"Content-Type": content_type}
        if checksum_sha256 is not None:
            signed["ChecksumSHA256"] = checksum_sha256
            headers["x-amz-checksum-sha256"] = checksum_sha256
        url = self._client.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": _incoming(path), **signed},
            ExpiresIn=expires_seconds,
        )
        expires_at = datetime.now(UTC) + timedelta(seconds=expires_seconds)
        return Upload(method="PUT", url=url, headers=headers, expires_at=expires_at)

    def upload_size(self, path: str) -> int | None:
        """The size of the upload in bytes, or None if there is no upload.

        For requests: QUICK_CALLS at a time, the others raise StorageUnavailableError at once.
        """
        with self._quick_turns.turn(_no_turn), self._quick_circuit.guard():
            try:
                answer = self._quick_client.head_object(Bucket=self._bucket, Key=_incoming(path))
            except ClientError as error:
                if error_code(error) in _MISSING_OBJECT:
                    return None
                raise
            return int(answer["ContentLength"])

    def read_upload(
        self, path: str, *, limit_bytes: int, at_each_part: Callable[[], None] = lambda: None
    ) -> bytes | None:
        """The uploaded bytes, or None if there is no upload.

        Reads at most `limit_bytes` + 1 bytes: the extra byte shows that the upload is longer. The
        caller's `at_each_part` is called before each 64 kB, and can end the read by an error.
        """
        return self._read(_incoming(path), limit_bytes, at_each_part)

    def read_original(
        self, path: str, *, limit_bytes: int, at_each_part: Callable[[], None] = lambda: None
    ) -> bytes | None:
        """The original's bytes, as read_upload(); None if none is stored."""
        return self._read(_original(path), limit_bytes, at_each_part)

    def store_original(self, path: str, data: bytes, content_type: str) -> None:
        """Store the original, private. Repeating it with the same bytes changes nothing."""
        with self._circuit.guard():
            self._client.put_object(
                Bucket=self._bucket, Key=_original(path), Body=data, ContentType=content_type
            )

    def put_rendition(self, path: str, side: int, data: bytes) -> None:
        """Publish one JPEG. Repeating it with the same bytes changes nothing."""
        with self._circuit.guard():
            self._client.put_object(
                Bucket=self._bucket,
                Key=_rendition(path, side),
                Body=data,
                ContentType="image/jpeg",
                CacheControl=_IMMUTABLE,
            )

    def remove(self, path: str) -> None:
        """Remove all objects of a photo. Repeating it is safe."""
        self._delete(_keys_of(path))

    def remove_many(self, paths: Iterable[str]) -> set[str]:
        """Remove all objects of these photos; returns the paths of which S3 refused to remove one.

        Repeating it is safe.
        """
        paths_by_key = {key: path for path in paths for key in _keys_of(path)}
        return {paths_by_key[key] for key in self._try_to_delete(list(paths_by_key))}

    def remove_upload(self, path: str) -> None:
        """Remove the upload, after its original is stored or it was refused."""
        with self._circuit.guard():  # half the work of a delete request with one key
            self._client.delete_object(Bucket=self._bucket, Key=_incoming(path))

    def rendition_urls(self, path: str) -> dict[str, str]:
        """The public URLs of the renditions, by their usual longest side."""
        return {str(side): f"{self.media_url}/{path}/{side}.jpg" for side in RENDITION_SIDES}

    def sweep_incoming(
        self, older_than: datetime, *, after_key: str = "", limit: int = LIST_PAGE
    ) -> SweptPage:
        """Remove those of the next `limit` uploads, by key, that are older than `older_than`.

        An upload that S3 refuses to remove is passed over.
        """
        with self._circuit.guard():
            return sweep_page(
                self._client,
                self._bucket,
                "incoming/",
                older_than,
                after_key=after_key,
                limit=limit,
            )

    def prepare_bucket(self) -> None:
        """Create the bucket if it is missing, and set its policy. Repeating it is safe.

        Anyone may GET `media/*` and nothing else. Browsers may upload from the allowed origins.
        """
        with self._circuit.guard():
            self._create_bucket()
            self._client.put_bucket_policy(Bucket=self._bucket, Policy=self._policy())
            if self._cors_origins:
                self._client.put_bucket_cors(
                    Bucket=self._bucket, CORSConfiguration={"CORSRules": [self._cors_rule()]}
                )
            else:
                self._client.delete_bucket_cors(Bucket=self._bucket)

    def ping(self) -> None:
        """Return if the bucket answers within seconds, even while a circuit is open.

        It lists nothing, in a place where every role may do that.
        """
        with S3Circuit(PART).guard():
            self._quick_client.list_objects_v2(Bucket=self._bucket, Prefix=PROBE_PREFIX, MaxKeys=1)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._quick_client.close()

    def _read(self, key: str, limit_bytes: int, at_each_part: Callable[[], None]) -> bytes | None:
        with self._circuit.guard():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING_OBJECT:
                    return None
                raise
            with closing(answer["Body"]) as body:
                data = b"".join(_parts(body, limit_bytes + 1, at_each_part))
            if len(data) < min(int(answer["ContentLength"]), limit_bytes):
                raise StorageUnavailableError("s3", "an answer was cut short")
            return data

    def _create_bucket(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if error_code(error) not in _MISSING_BUCKET:
                raise
            try:
                self._client.create_bucket(Bucket=self._bucket)
            except ClientError as conflict:  # another process may have created it
                if error_code(conflict) not in _EXISTING_BUCKET:
                    raise

    def _policy(self) -> str:
        statement = {
            "Sid": "AnyoneMayGetRenditions",
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["s3:GetObject"],
            "Resource": [f"arn:aws:s3:::{self._bucket}/media/*"],
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def _cors_rule(self) -> dict[str, Any]:
        return {
            "AllowedOrigins": list(self._cors_origins),
            "AllowedMethods": ["PUT", "GET", "HEAD"],
            "AllowedHeaders": ["content-type", "x-amz-checksum-sha256"],
            "MaxAgeSeconds": 3600,
        }

    def _delete(self, keys: list[str]) -> None:
        """Delete these keys. Raises StorageUnavailableError if one of them is refused."""
        for code in self._try_to_delete(keys).values():
            raise unavailable(code, f"{code} in a delete request")

    def _try_to_delete(self, keys: list[str]) -> dict[str, str]:
        """Delete these keys; returns the error codes of those that S3 refused to delete, by key."""
        with self._circuit.guard():
            return try_to_delete(self._client, self._bucket, keys)


def _parts(body: Any, limit_bytes: int, at_each_part: Callable[[], None]) -> Iterator[bytes]:
    """The first `limit_bytes` of an answer's body."""
    while limit_bytes > 0:
        at_each_part()
        part = bytes(body.read(min(_PART_BYTES, limit_bytes)))
        if not part:
            return
        limit_bytes -= len(part)
        yield part


def _no_turn() -> StorageUnavailableError:
    metrics.CALLS_REFUSED.labels(store=PART, why="turns").inc()
    return StorageUnavailableError(PART, "too many requests wait for it")


def _keys_of(path: str) -> list[str]:
    """The keys of all objects of a photo."""
    renditions = [_rendition(path, side) for side in RENDITION_SIDES]
    return [*renditions, _original(path), _incoming(path)]


def _incoming(path: str) -> str:
    return f"incoming/{path}"


def _original(path: str) -> str:
    return f"originals/{path}"


def _rendition(path: str, side: int) -> str:
    return f"media/{path}/{side}.jpg"
