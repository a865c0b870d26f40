"""The settings of storage: Redis, S3, and the length of timelines."""

from dataclasses import dataclass, field
from typing import Self

from environs import Env, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """The settings of storage. URLs and keys contain passwords, so their repr is hidden."""

    queue_url: str = field(repr=False)
    cache_url: str = field(repr=False)
    s3_endpoint_url: str
    s3_bucket: str
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)
    s3_region: str
    media_base_url: str
    s3_cors_origins: tuple[str, ...] = ()
    timeline_cap: int = 400
    timeline_slack: int = 100
    export_part_bytes: int = 256_000_000
    """The most bytes of a part of an export, unless one file alone has more."""

    @classmethod
    def from_env(cls, env: Env) -> Self:
        """The settings of the environment. `env` decides when missing variables are reported."""
        return cls(
            queue_url=env.str("QUEUE_REDIS_URL"),
            cache_url=env.str("CACHE_REDIS_URL"),
            s3_endpoint_url=env.str("S3_ENDPOINT_URL"),
            s3_bucket=env.str("S3_BUCKET"),
            s3_access_key=env.str("AWS_ACCESS_KEY_ID"),
            s3_secret_key=env.str("AWS_SECRET_ACCESS_KEY"),
            s3_region=env.str("AWS_REGION", "us-east-1"),
            media_base_url=env.str("MEDIA_BASE_URL"),
            s3_cors_origins=tuple(env.list("S3_CORS_ORIGINS", []) or ()),
            timeline_cap=env.int("TIMELINE_CAP", 400, validate=validate.Range(1, 5_000)),
            timeline_slack=env.int("TIMELINE_SLACK", 100, validate=validate.Range(0, 2_000)),
            export_part_bytes=env.int(
                "EXPORT_PART_BYTES", 256_000_000, validate=validate.Range(100_000, 4_000_000_000)
            ),
        )
