"""Uploads of photos to S3, as clients make them."""

from collections.abc import Callable

import requests

from graph.events import Event
from graph.photos import Photo
from storage import Storage

Upload = Callable[..., tuple[Photo, Event]]
"""Uploads and completes a photo of some bytes; the photo and its claimed event."""


def put_upload(storage: Storage, path: str, data: bytes, content_type: str = "image/jpeg") -> None:
    """Upload the bytes with a presigned URL, as a client does."""
    upload = storage.photos.presign_upload(
        path, content_type=content_type, size_bytes=len(data), checksum_sha256=None
    )
    answer = requests.put(upload.url, data=data, headers=upload.headers, timeout=10)
    assert answer.status_code == 200
