"""The S3 server: SeaweedFS, all of it in one process, or an external one."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from stack.errors import StackError
from stack.parts.part import ExternalStore, Program, Store
from stack.parts.s3_keys import write_keys
from stack.ports import HOST
from stack.roles import S3_SECRETS, variable_of
from stack.secrets import write_private

ALL_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")
ROLE_ACTIONS = {
    "api": (
        *("Read:{bucket}/incoming/*", "Write:{bucket}/incoming/*", "Read:{bucket}/exports/*"),
        "List:{bucket}/probe/*",
    ),
    "worker": (
        *("Read:{bucket}/incoming/*", "Read:{bucket}/originals/*"),
        *(
            f"Write:{{bucket}}/{folder}/*"
            for folder in ("incoming", "originals", "media", "exports")
        ),
        *("List:{bucket}/incoming/*", "List:{bucket}/exports/*", "List:{bucket}/probe/*"),
    ),
    "admin": ("List:{bucket}/probe/*",),
}
"""SeaweedFS's actions of each role. The API signs uploads, looks whether they have come, and signs
downloads of exports; workers read, write and delete objects; the admin app sees whether S3 answers.
Write includes to delete."""

NOT_FOUND = 404
REFUSED = 403
ADMIN_GRPC_OFFSET = 10_008
"""SeaweedFS's worker always connects to the admin port + 10,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The bucket of the photos, and the key to it."""

    endpoint_url: str
    name: str
    access_key: str | None
    secret_key: str | None
    region: str
    role_keys: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """The access key and the secret key of each role that has its own."""
    media_base_url: str | None = None
    """The URL from which clients fetch renditions; None: the bucket's."""

    def variables(self) -> dict[str, str]:
        """The variables with the bucket's address and keys, those of roles too."""
        of_roles = {
            variable_of(role, name): key
            for role, keys in self.role_keys.items()
            for name, key in zip(S3_SECRETS, keys, strict=True)
        }
        return {
            **of_roles,
            "S3_ENDPOINT_URL": self.endpoint_url,
            "S3_BUCKET": self.name,
            "AWS_ACCESS_KEY_ID": self.access_key or "",
            "AWS_SECRET_ACCESS_KEY": self.secret_key or "",
            "AWS_REGION": self.region,
            "MEDIA_BASE_URL": self.media_base_url or f"{self.endpoint_url}/{self.name}",
        }


class LocalS3(Program, Store):
    """SeaweedFS on nine ports from `port` on and on `port` + 10,008. Each request needs a key."""

    name = "s3"
    start_seconds = 60.0
    stop_seconds = 20.0

    def __init__(self, folder: Path, *, port: int, bucket: Bucket) -> None:
        self.bucket = bucket
        self._data = folder / "s3"
        self._identities = self._data / "identities.json"
        self._keys = (self._data / "keys").resolve()
        self._port = port

    def prepare(self) -> None:
        """Create the data folder, the file with the identities, and the keys of the inner ports."""
        (self._data / "data").mkdir(parents=True, exist_ok=True)
        bucket = self.bucket
        own = bucket.access_key or "", bucket.secret_key or ""
        identities = [_identity("app", own, ALL_ACTIONS)]
        for role, keys in bucket.role_keys.items():
            actions = [action.format(bucket=bucket.name) for action in ROLE_ACTIONS[role]]
            identities.append(_identity(role, keys, actions))
        write_private(self._identities, json.dumps({"identities": identities}))
        write_keys(self._keys)

    def command(self) -> Sequence[str]:
        """SeaweedFS's `mini`. Without -disableHttp the filer's port serves private objects."""
        first = self._port
        return [
            str(Path(sys.executable).with_name("weed")),
            *(f"-config_dir={self._keys}", "-logtostderr=true", "mini"),
            *(f"-dir={self._data / 'data'}", f"-ip={HOST}", f"-ip.bind={HOST}"),
            *("-disableHttp", "-master.telemetry=false", "-admin.ui=false", "-webdav=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
            *(f"-s3.config={self._identities}", f"-bucket={self.bucket.name}"),
            *(f"-s3.port={first}", f"-s3.port.grpc={first + 1}"),
            *(f"-filer.port={first + 2}", f"-filer.port.grpc={first + 3}"),
            *(f"-master.port={first + 4}", f"-master.port.grpc={first + 5}"),
            *(f"-volume.port={first + 6}", f"-volume.port.grpc={first + 7}"),
            *(f"-admin.port={first + 8}", f"-admin.port.grpc={first + ADMIN_GRPC_OFFSET}"),
        ]

    def problem(self) -> str | None:
        """Why the bucket cannot be read with the key, or None."""
        status = bucket_status(self.bucket)
        return None if isinstance(status, int) and status < REFUSED else f"it answers {status}"

    def variables(self) -> dict[str, str]:
        """The bucket's address and keys."""
        return self.bucket.variables()


def _identity(name: str, keys: tuple[str, str], actions: Sequence[str]) -> dict[str, object]:
    access_key, secret_key = keys
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    return {"name": name, "credentials": credentials, "actions": list(actions)}


class ExternalS3(ExternalStore):
    """The server at S3_ENDPOINT_URL. `python -m api init` creates the bucket if it is missing."""

    name = "s3"

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def problem(self) -> str | None:
        """Why the server does not answer, or None. Raises StackError if it refuses the key."""
        status = bucket_status(self.bucket)
        if status == REFUSED:
            raise StackError(
                f"The S3 server at {self.bucket.endpoint_url} refuses the key, or the bucket "
                f"{self.bucket.name} belongs to another account. Set AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and S3_BUCKET; or unset S3_ENDPOINT_URL, then `make up` "
                "starts an S3 server."
            )
        return None if isinstance(status, int) and status <= NOT_FOUND else f"it answers {status}"

    def variables(self) -> dict[str, str]:
        """The bucket's address and keys."""
        return self.bucket.variables()


def bucket_status(bucket: Bucket) -> int | str:
    """The HTTP status of a signed HEAD of the bucket, or the name of the error.

    Raises StackError if a key is missing or the endpoint is not a URL.
    """
    if not (bucket.access_key and bucket.secret_key):
        raise StackError("S3_ENDPOINT_URL needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too.")
    try:
        client = boto3.client(
            "s3",
            endpoint_url=bucket.endpoint_url,
            aws_access_key_id=bucket.access_key,
            aws_secret_access_key=bucket.secret_key,
            region_name=bucket.region,
            config=Config(
                connect_timeout=2,
                read_timeout=3,
                retries={"total_max_attempts": 1},
                signature_version="s3v4",
                s3={"addressing_style": "path"},
            ),
        )
        answer = client.head_bucket(Bucket=bucket.name)
        return int(answer["ResponseMetadata"]["HTTPStatusCode"])
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    except ValueError as error:
        raise StackError(f"S3_ENDPOINT_URL is not a URL: {error}") from error
    except BotoCoreError as error:
        return type(error).__name__
