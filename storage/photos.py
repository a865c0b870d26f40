"""Photos in S3: uploads, originals, and renditions, which anyone may GET.

```text
incoming/<path>            uploads by presigned PUT; private, removed after processing
originals/<path>           checked uploads; private, never served
media/<path>/<side>.jpg    renditions; anonymous GET, unguessable path, immutable
```
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.errors import StorageRefusedError, StorageUnavailableError
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
_PERMANENT_ERRORS = {
    "AccessDenied",
    "AllAccessDisabled",
    "EntityTooLarge",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidObjectState",
    "InvalidRequest",
    "KeyTooLongError",
    "MalformedXML",
    "MethodNotAllowed",
    "NoSuchBucket",
}
"""Error codes that S3 returns again until an operator or a developer fixes something. Wrong
credentials are not among them: they fail every call at once, as an outage does."""
_DELETE_BATCH = 1000
"""The most keys per delete request."""
_PART_BYTES = 64 * 1024
"""An upload is read in parts of this size."""


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
        # Workers move whole photos: long waits, retries. API requests need a quick answer.
        self._client = _client(settings, read_seconds=10, attempts=3)
        self._quick_client = _client(settings, read_seconds=2, attempts=1)

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
        """The size of the upload in bytes, or None if there is no upload."""
        with _translate_errors():
            try:
                answer = self._quick_client.head_object(Bucket=self._bucket, Key=_incoming(path))
            except ClientError as error:
                if _code(error) in _MISSING_OBJECT:
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
        with _translate_errors():
            self._client.put_object(
                Bucket=self._bucket, Key=_original(path), Body=data, ContentType=content_type
            )

    def put_rendition(self, path: str, side: int, data: bytes) -> None:
        """Publish one JPEG. Repeating it with the same bytes changes nothing."""
        with _translate_errors():
            self._client.put_object(
                Bucket=self._bucket,
                Key=_rendition(path, side),
                Body=data,
                ContentType="image/jpeg",
                CacheControl=_IMMUTABLE,
            )

    def remove(self, path: str) -> None:
        """Remove all objects of a photo. Repeating it is safe."""
        keys = [_rendition(path, side) for side in RENDITION_SIDES]
        self._delete([*keys, _original(path), _incoming(path)])

    def remove_upload(self, path: str) -> None:
        """Remove the upload, after its original is stored or it was refused."""
        with _translate_errors():  # half the work of a delete request with one key
            self._client.delete_object(Bucket=self._bucket, Key=_incoming(path))

    def rendition_urls(self, path: str) -> dict[str, str]:
        """The public URLs of the renditions, by their usual longest side."""
        return {str(side): f"{self.media_url}/{path}/{side}.jpg" for side in RENDITION_SIDES}

    def sweep_incoming(self, older_than: datetime, limit: int) -> int:
        """Remove at most `limit` uploads older than `older_than`. Returns how many."""
        swept = 0
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix="incoming/"
        )
        with _translate_errors():
            for page in pages:
                old = [
                    entry["Key"]
                    for entry in page.get("Contents", ())
                    if entry["LastModified"] < older_than
                ][: limit - swept]
                self._delete(old)
                swept += len(old)
                if swept >= limit:
                    break
        return swept

    def prepare_bucket(self) -> None:
        """Create the bucket if it is missing, and set its policy. Repeating it is safe.

        Anyone may GET `media/*` and nothing else. Browsers may upload from the allowed origins.
        """
        with _translate_errors():
            self._create_bucket()
            self._client.put_bucket_policy(Bucket=self._bucket, Policy=self._policy())
            if self._cors_origins:
                self._client.put_bucket_cors(
                    Bucket=self._bucket, CORSConfiguration={"CORSRules": [self._cors_rule()]}
                )
            else:
                self._client.delete_bucket_cors(Bucket=self._bucket)

    def ping(self) -> None:
        """Return if the bucket can be reached within a few seconds."""
        with _translate_errors():
            self._quick_client.head_bucket(Bucket=self._bucket)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._quick_client.close()

    def _read(self, key: str, limit_bytes: int, at_each_part: Callable[[], None]) -> bytes | None:
        with _translate_errors():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if _code(error) in _MISSING_OBJECT:
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
            if _code(error) not in _MISSING_BUCKET:
                raise
            try:
                self._client.create_bucket(Bucket=self._bucket)
            except ClientError as conflict:  # another process may have created it
                if _code(conflict) not in _EXISTING_BUCKET:
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
        with _translate_errors():
            for at in range(0, len(keys), _DELETE_BATCH):
                objects = [{"Key": key} for key in keys[at : at + _DELETE_BATCH]]
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
                if answer.get("Errors"):
                    code = str(answer["Errors"][0].get("Code"))
                    raise _unavailable(code, f"{code} in a delete request")


def _parts(body: Any, limit_bytes: int, at_each_part: Callable[[], None]) -> Iterator[bytes]:
    """The first `limit_bytes` of an answer's body."""
    while limit_bytes > 0:
        at_each_part()
        part = bytes(body.read(min(_PART_BYTES, limit_bytes)))
        if not part:
            return
        limit_bytes -= len(part)
        yield part


def _client(settings: StorageSettings, *, read_seconds: float, attempts: int) -> Any:
    """A client with a time-out on every wait. Threads may share it.

    Checksums are computed only if required: other S3 servers do not support the newer ones, and a
    presigned PUT would require them of the uploading client.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=2,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=16,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
        config=config,
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate every error of S3 and its client into StorageUnavailableError."""
    try:
        yield
    except ClientError as error:
        raise _unavailable(_code(error), _code(error)) from error
    except (BotoCoreError, OSError) as error:
        raise StorageUnavailableError("s3", type(error).__name__) from error


def _unavailable(code: str, reason: str) -> StorageUnavailableError:
    kind = StorageRefusedError if code in _PERMANENT_ERRORS else StorageUnavailableError
    return kind("s3", reason)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _incoming(path: str) -> str:
    return f"incoming/{path}"


def _original(path: str) -> str:
    return f"originals/{path}"


def _rendition(path: str, side: int) -> str:
    return f"media/{path}/{side}.jpg"
