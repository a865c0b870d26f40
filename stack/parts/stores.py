"""The stores of a stack: local or external, by the settings."""

import threading
from collections.abc import Mapping, Sequence

from stack.parts.neo4j import ExternalNeo4j, LocalNeo4j, Login
from stack.parts.part import Store
from stack.parts.redis import ExternalRedis, LocalRedis, find_server
from stack.parts.s3 import Bucket, ExternalS3, LocalS3
from stack.ports import HOST
from stack.roles import S3_SECRETS, STORE_ROLES, variable_of
from stack.settings import ROOT, StackSettings

STORES = ("neo4j", "queue", "cache", "s3")

SHARED_LIBRARY = ROOT / ".local" / "neo4j" / "lib"
"""The jars of the checkout's own stack. The stacks of tests link to them."""


def port_names(stores: Sequence[str], settings: StackSettings) -> list[str]:
    """The names of the ports that the local ones among these stores need."""
    names: dict[str, tuple[str, ...]] = {
        "neo4j": () if settings.neo4j_uri else ("neo4j", "browser"),
        "queue": () if settings.queue_redis_url else ("queue",),
        "cache": () if settings.cache_redis_url else ("cache",),
        "s3": () if settings.s3_endpoint_url else ("s3",),
    }
    return [port for store in stores for port in names[store]]


def build_store(
    name: str,
    settings: StackSettings,
    *,
    ports: Mapping[str, int],
    secrets: Mapping[str, str],
    stopping: threading.Event,
) -> Store:
    """The store of that name."""
    match name:
        case "neo4j":
            return _neo4j(settings, ports, secrets, stopping)
        case "s3":
            return _s3(settings, ports, secrets)
        case _:
            return _redis(name, settings, ports, secrets)


def _neo4j(
    settings: StackSettings,
    ports: Mapping[str, int],
    secrets: Mapping[str, str],
    stopping: threading.Event,
) -> Store:
    if settings.neo4j_uri:
        login = Login(
            uri=settings.neo4j_uri,
            user=settings.neo4j_user,
            password=settings.neo4j_password or "",
            database=settings.neo4j_database,
        )
        return ExternalNeo4j(login)
    home = settings.folder / "neo4j"
    return LocalNeo4j(
        home,
        bolt=ports["neo4j"],
        http=ports["browser"],
        password=secrets["NEO4J_PASSWORD"],
        heap=settings.neo4j_heap,
        pagecache=settings.neo4j_pagecache,
        java_options=settings.neo4j_java_options,
        other_libraries=[] if home / "lib" == SHARED_LIBRARY else [SHARED_LIBRARY],
        stopping=stopping,
    )


def _redis(
    name: str, settings: StackSettings, ports: Mapping[str, int], secrets: Mapping[str, str]
) -> Store:
    url, memory = {
        "queue": (settings.queue_redis_url, settings.queue_memory),
        "cache": (settings.cache_redis_url, settings.cache_memory),
    }[name]
    if url:
        return ExternalRedis(
            name, url, _of_roles(settings.role_secrets, f"{name.upper()}_REDIS_URL")
        )
    return LocalRedis(
        name,
        settings.folder,
        port=ports[name],
        password=secrets[f"{name.upper()}_PASSWORD"],
        memory=memory,
        server=find_server(),
        role_passwords=_of_roles(secrets, f"{name.upper()}_PASSWORD"),
    )


def _s3(settings: StackSettings, ports: Mapping[str, int], secrets: Mapping[str, str]) -> Store:
    if settings.s3_endpoint_url:
        bucket = _bucket(
            settings,
            settings.s3_endpoint_url,
            settings.s3_access_key,
            settings.s3_secret_key,
            _role_keys(settings.role_secrets),
        )
        return ExternalS3(bucket)
    bucket = _bucket(
        settings,
        f"http://{HOST}:{ports['s3']}",
        secrets["AWS_ACCESS_KEY_ID"],
        secrets["AWS_SECRET_ACCESS_KEY"],
        _role_keys(secrets),
    )
    return LocalS3(settings.folder, port=ports["s3"], bucket=bucket)


def _bucket(
    settings: StackSettings,
    endpoint_url: str,
    access_key: str | None,
    secret_key: str | None,
    role_keys: Mapping[str, tuple[str, str]],
) -> Bucket:
    return Bucket(
        endpoint_url=endpoint_url,
        name=settings.s3_bucket,
        access_key=access_key,
        secret_key=secret_key,
        role_keys=role_keys,
        region=settings.s3_region,
        media_base_url=settings.media_base_url,
    )


def _of_roles(secrets: Mapping[str, str], name: str) -> dict[str, str]:
    """The secret of that name of each role that has one."""
    variables = {role: variable_of(role, name) for role in STORE_ROLES}
    return {role: secrets[name] for role, name in variables.items() if secrets.get(name)}


def _role_keys(secrets: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The access key and the secret key of each role that has both."""
    access_keys, secret_keys = (_of_roles(secrets, name) for name in S3_SECRETS)
    return {
        role: (access_keys[role], secret_keys[role]) for role in access_keys if role in secret_keys
    }
