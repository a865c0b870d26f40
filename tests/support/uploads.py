"""Uploads of photos to S3, as clients make them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import requests

from graph import Graph
from graph.events import Event
from graph.photos import Photo
from storage import Storage, StorageSettings, StorageUnavailableError
from storage.photos import Photos
from tests.support.town import Town

Upload = Callable[..., tuple[Photo, Event]]
"""Uploads and completes a photo of some bytes; the photo and its claimed event."""

COMPLETE = {"originals/*", "media/*/1080.jpg", "media/*/640.jpg", "media/*/320.jpg"}
"""The objects of a ready photo, as `object_names` returns them."""


def put_upload(storage: Storage, path: str, data: bytes, content_type: str = "image/jpeg") -> None:
    """Upload the bytes with a presigned URL, as a client does."""
    upload = storage.photos.presign_upload(
        path, content_type=content_type, size_bytes=len(data), checksum_sha256=None
    )
    answer = requests.put(upload.url, data=data, headers=upload.headers, timeout=10)
    assert answer.status_code == 200


def upload_photo(
    graph: Graph,
    storage: Storage,
    owner_id: int,
    data: bytes | None,
    content_type: str = "image/jpeg",
    *,
    checksum: str | None = None,
    size_bytes: int | None = None,
) -> tuple[Photo, Event]:
    """Uploads and completes a photo as the API does; the photo and its event. None: no upload."""
    photo = Town(graph).waiting_photo(
        owner_id,
        content_type=content_type,
        size_bytes=len(data or b"") if size_bytes is None else size_bytes,
        checksum_sha256=checksum,
    )
    if data is not None:
        put_upload(storage, photo.path, data, content_type)
    photo, event = graph.photos.complete(photo.id, owner_id=owner_id)
    assert event
    return photo, event


@contextmanager
def private_bucket(settings: StorageSettings, **changes: Any) -> Iterator[Photos]:
    """Photos in a new bucket, which is deleted with its objects in the end."""
    name = f"photofeed-test-{secrets.token_hex(6)}"
    media_url = f"{settings.s3_endpoint_url}/{name}"
    photos = Photos(replace(settings, s3_bucket=name, media_base_url=media_url, **changes))
    photos.prepare_bucket()
    yield photos
    pages = photos._client.get_paginator("list_objects_v2").paginate(Bucket=name)
    for page in pages:
        photos._delete([entry["Key"] for entry in page.get("Contents", ())])
    photos._client.delete_bucket(Bucket=name)
    photos.close()


def object_names(photos: Photos, path: str) -> set[str]:
    """The keys of the photo's objects in S3, with `*` for its path."""
    client, bucket = photos._client, photos._bucket
    return {
        entry["Key"].replace(path, "*")
        for prefix in (f"incoming/{path}", f"media/{path}/", f"originals/{path}")
        for entry in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    }


def answers(storage: Storage) -> bool:
    """Whether the circuit of S3 lets calls through again."""
    try:
        storage.photos.remove_upload("no photo's path")
    except StorageUnavailableError:
        return False
    return True
