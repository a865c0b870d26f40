"""Access to S3: a client with time-outs, its circuit breaker, and what its errors mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from storage.circuit import Circuit
from storage.errors import StorageRefusedError, StorageUnavailableError
from storage.settings import StorageSettings

CONNECT_SECONDS = 2.0
"""Time-out for a TCP connection."""
PART = "s3"
"""The name of the store in errors, logs and metrics."""
LIST_PAGE = 1000
"""The most keys of a page of a list."""
_DELETE_BATCH = 1000
"""The most keys per delete request."""

_AWAY = frozenset({502, 503, 504})
"""Statuses of an S3 that is overloaded, or of a proxy that does not reach it. 500 is not one of
them: it can be the answer for one damaged object."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptPage:
    """What was done with a page of the objects below a prefix."""

    removed: int
    last_key: str | None
    """Where the next page begins; None at the end."""


class S3Circuit(Circuit):
    """A circuit that translates the exceptions of S3's client."""

    def _translate(self, error: BaseException) -> tuple[StorageUnavailableError, bool] | None:
        if isinstance(error, ClientError):
            code = error_code(error)
            return unavailable(code, code), _status(error) not in _AWAY
        if isinstance(error, (BotoCoreError, OSError)):
            return StorageUnavailableError(PART, type(error).__name__), False
        return None


def open_client(settings: StorageSettings, *, read_seconds: float, attempts: int) -> Any:
    """A client with a time-out on every wait. Threads may share it.

    Checksums are computed only if required: other S3 servers do not support the newer ones, and a
    presigned PUT would require them of the uploading client.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=CONNECT_SECONDS,
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


def try_to_delete(client: Any, bucket: str, keys: Sequence[str]) -> dict[str, str]:
    """Delete these keys; returns the error codes of those that S3 refused to delete, by key.

    The caller guards it.
    """
    refused: dict[str, str] = {}
    for at in range(0, len(keys), _DELETE_BATCH):
        objects = [{"Key": key} for key in keys[at : at + _DELETE_BATCH]]
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        errors = answer.get("Errors", ())
        refused |= {str(error["Key"]): str(error.get("Code")) for error in errors}
    return refused


def sweep_page(
    client: Any, bucket: str, prefix: str, older_than: datetime, *, after_key: str, limit: int
) -> SweptPage:
    """Remove those of the next `limit` objects, by key, that are older than `older_than`.

    An object that S3 refuses to remove is passed over. The caller guards it.
    """
    page = client.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after_key, MaxKeys=limit)
    entries = page.get("Contents", [])
    old = [entry["Key"] for entry in entries if entry["LastModified"] < older_than]
    refused = try_to_delete(client, bucket, old)
    is_end = not entries or not page.get("IsTruncated")
    return SweptPage(
        removed=len(old) - len(refused), last_key=None if is_end else entries[-1]["Key"]
    )


def answers(client: Any, bucket: str) -> bool:
    """Whether S3 answers a small request, be it with a refusal."""
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        return _status(error) not in _AWAY
    except (BotoCoreError, OSError):
        return False
    return True


def unavailable(code: str, reason: str) -> StorageUnavailableError:
    """The error of storage for an error code of S3."""
    kind = StorageRefusedError if code in _PERMANENT_ERRORS else StorageUnavailableError
    return kind(PART, reason)


def error_code(error: ClientError) -> str:
    """S3's code; of an answer without a body the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
