"""Uploads as clients make them."""

from collections.abc import Callable

import requests

from graph.events import Event
from graph.photos import Photo
from storage import Storage

Uploaded = Callable[..., tuple[Photo, Event]]


def put(storage: Storage, path: str, data: bytes, content_type: str = "image/jpeg") -> None:
    allowed = storage.photos.presign_upload(
        path, content_type=content_type, size_bytes=len(data), checksum_sha256=None
    )
    answer = requests.put(allowed.url, data=data, headers=allowed.headers, timeout=10)
    assert answer.status_code == 200
