"""Fixtures: uploaded photos, and S3 behind a proxy."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from environs import Env

from drill.support.proxy import Proxy
from graph import Graph
from graph.events import Event
from graph.photos import Photo
from storage import Storage, StorageSettings
from storage.photos import Photos
from tests.support.outbox import claim
from tests.support.town import Town
from tests.support.uploads import Upload, upload_photo


@pytest.fixture(scope="module")
def owner_id(graph: Graph) -> int:
    return Town(graph).user()


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
    """Uploads and completes a photo, and claims its event."""

    def upload(*arguments: Any, **named: Any) -> tuple[Photo, Event]:
        photo, event = upload_photo(graph, storage, owner_id, *arguments, **named)
        claimed = claim(graph, event.id, event.epoch)
        assert claimed
        return photo, claimed

    return upload
