"""The body of a post: finished JSON, cached as bytes and joined into pages without parsing."""

import json
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from graph.posts import Location, Post, PostedPhoto
from storage import Storage

DIGEST_BYTES = 16
"""Enough that two different bodies never have the same digest."""


def render(post: Post, storage: Storage) -> bytes:
    """The post's JSON: compact UTF-8, the same for every viewer.

    `storage` gives the URLs of the photos' renditions.
    """
    body = {
        "id": str(post.id),
        "author": {
            "id": str(post.author_id),
            "username": post.author_username,
            "name": post.author_name,
        },
        "caption": post.caption,
        "location": _location(post.location),
        "photos": [_photo(photo, storage) for photo in post.photos],
        "created_at": rfc3339(post.created_at),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def digest_of(body: bytes) -> bytes:
    """The BLAKE2b of a body: pages get their ETag from the digests of their bodies."""
    return blake2b(body, digest_size=DIGEST_BYTES).digest()


def rfc3339(time: datetime) -> str:
    """The time in UTC with milliseconds: `2026-11-22T19:53:44.120Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _location(location: Location | None) -> dict[str, Any] | None:
    if location is None:
        return None
    return {
        "name": location.name,
        "latitude": location.latitude,
        "longitude": location.longitude,
    }


def _photo(photo: PostedPhoto, storage: Storage) -> dict[str, Any]:
    return {
        "id": str(photo.id),
        "width": photo.width,
        "height": photo.height,
        "blurhash": photo.blurhash,
        "alt_text": photo.alt_text,
        "renditions": storage.photos.rendition_urls(photo.path),
    }
