"""Fixtures: uploaded photos, and S3 behind a proxy."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from environs import Env

from drill.support.proxy import Proxy
from graph import Graph
from graph.events import Event
from graph.ids import new_id
from graph.photos import Photo
from storage import Storage, StorageSettings
from storage.photos import Photos
from tests.support.uploads import Upload, put_upload


@pytest.fixture(scope="module")
def owner_id(graph: Graph) -> int:
    user_id = new_id()
    name = f"p{secrets.token_hex(6)}"
    graph.users.create(user_id=user_id, username=name, name=name, password_hash="-")
    return user_id


@pytest.fixture
def proxy(storage: Storage) -> Iterator[Proxy]:
    assert storage
    upstream = urlsplit(StorageSettings.from_env(Env()).s3_endpoint_url)
    with Proxy(upstream.hostname or "", upstream.port or 80) as proxy:
        yield proxy


@pytest.fixture
def proxied_storage(storage: Storage, proxy: Proxy) -> Storage:
    """The storage with S3 behind the proxy."""
    endpoint = f"http://127.0.0.1:{proxy.port}"
    settings = replace(StorageSettings.from_env(Env()), s3_endpoint_url=endpoint)
    return replace(storage, photos=Photos(settings))


@pytest.fixture
def upload(graph: Graph, storage: Storage, owner_id: int) -> Upload:
    """Uploads and completes a photo as the API does, and claims its event."""

    def upload(
        data: bytes | None,
        content_type: str = "image/jpeg",
        *,
        checksum: str | None = None,
        size_bytes: int | None = None,
    ) -> tuple[Photo, Event]:
        photo = graph.photos.create(
            photo_id=new_id(),
            owner_id=owner_id,
            path=secrets.token_urlsafe(16),
            content_type=content_type,
            size_bytes=len(data or b"") if size_bytes is None else size_bytes,
            checksum_sha256=checksum,
            alt_text=None,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            key=None,
            fingerprint=None,
        )
        if data is not None:
            put_upload(storage, photo.path, data, content_type)
        photo, event = graph.photos.complete(photo.id, owner_id=owner_id)
        assert event is not None
        claimed = graph.events.claim(event.id, event.epoch)
        assert claimed is not None
        return photo, claimed

    return upload
