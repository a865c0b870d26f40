"""Settings of the local stack, from the environment and from `.env` in the checkout."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from environs import Env

from stack.ports import DEFAULTS
from stack.roles import ROLE_VARIABLES

ROOT = Path(__file__).resolve().parent.parent
"""The checkout. It is the working folder of our processes."""

PORT_VARIABLES = {
    "api": "API_PORT",
    "admin": "ADMIN_PORT",
    "neo4j": "NEO4J_BOLT_PORT",
    "browser": "NEO4J_HTTP_PORT",
    "queue": "QUEUE_REDIS_PORT",
    "cache": "CACHE_REDIS_PORT",
    "s3": "S3_PORT",
}
"""The variable that requests a port, by the port's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """The folder and the sizes of a stack, and the stores that are external.

    A store is external if its URL is set: it is then not started, only checked.
    """

    folder: Path = ROOT / ".local"
    neo4j_uri: str | None = None
    neo4j_user: str = "neo4j"
    neo4j_password: str | None = None
    neo4j_database: str = "neo4j"
    neo4j_heap: str = "512m"
    neo4j_pagecache: str = "256m"
    neo4j_java_options: Sequence[str] = ()
    queue_redis_url: str | None = None
    cache_redis_url: str | None = None
    queue_memory: str = "256mb"
    cache_memory: str = "512mb"
    s3_endpoint_url: str | None = None
    s3_bucket: str = "photofeed"
    s3_access_key: str | None = None
    s3_secret_key: str | None = None
    s3_region: str = "us-east-1"
    media_base_url: str | None = None
    cursor_secret: str | None = None
    token_keys: str | None = None
    old_tokens_until: str | None = None
    session_days: int = 30
    admin_password: str | None = None
    vapid_private_key: str | None = None
    role_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """URLs and keys of roles at external stores, by `ROLE_VARIABLES`."""
    limits_scale: str = "100"
    api_workers: int = min(2, os.cpu_count() or 1)
    default_ports: Mapping[str, int] | None = None
    requested_ports: Mapping[str, int] | None = None

    @classmethod
    def from_env(cls, env: Env) -> Self:
        """The settings of `make up`. The keys of an external store count only with its URL."""
        requested = {name: env.int(variable, None) for name, variable in PORT_VARIABLES.items()}
        return cls(
            folder=Path(env.str("STACK_FOLDER", "") or ROOT / ".local").resolve(),
            neo4j_uri=env.str("NEO4J_URI", "") or None,
            neo4j_user=env.str("NEO4J_USER", "neo4j"),
            neo4j_password=env.str("NEO4J_PASSWORD", None),
            neo4j_database=env.str("NEO4J_DATABASE", "neo4j"),
            neo4j_heap=env.str("NEO4J_HEAP", "512m"),
            neo4j_pagecache=env.str("NEO4J_PAGECACHE", "256m"),
            queue_redis_url=env.str("QUEUE_REDIS_URL", "") or None,
            cache_redis_url=env.str("CACHE_REDIS_URL", "") or None,
            queue_memory=env.str("QUEUE_MEMORY", "256mb"),
            cache_memory=env.str("CACHE_MEMORY", "512mb"),
            s3_endpoint_url=env.str("S3_ENDPOINT_URL", "") or None,
            s3_bucket=env.str("S3_BUCKET", "photofeed"),
            s3_access_key=env.str("AWS_ACCESS_KEY_ID", None),
            s3_secret_key=env.str("AWS_SECRET_ACCESS_KEY", None),
            s3_region=env.str("AWS_REGION", "us-east-1"),
            media_base_url=env.str("MEDIA_BASE_URL", "") or None,
            cursor_secret=env.str("CURSOR_SECRET", "") or None,
            token_keys=env.str("TOKEN_KEYS", "") or None,
            old_tokens_until=env.str("OLD_TOKENS_UNTIL", "") or None,
            session_days=env.int("SESSION_DAYS", 30),
            admin_password=env.str("ADMIN_PASSWORD", "") or None,
            vapid_private_key=env.str("VAPID_PRIVATE_KEY", "") or None,
            role_secrets={n: value for n in ROLE_VARIABLES if (value := env.str(n, ""))},
            limits_scale=env.str("LIMITS_SCALE", "100"),
            api_workers=env.int("API_WORKERS", min(2, os.cpu_count() or 1)),
            default_ports=DEFAULTS,
            requested_ports={name: port for name, port in requested.items() if port},
        )
