"""Photos, from the upload until they can be posted."""

from typing import Any

from api.http import idempotency, limits
from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.errors import RETRY_AFTER_SECONDS
from api.http.openapi import raises, takes
from api.http.parsing import Blueprint
from api.schemas.photos import NewPhoto, PhotoProgressSchema, PhotoSchema, PhotoUploadSchema
from api.services import photos
from api.services.errors import (
    NothingUploadedError,
    PhotoTooLargeError,
    UnsupportedPhotoTypeError,
)
from graph.errors import NotFoundError
from graph.photos import Photo

blueprint = Blueprint(
    "photos", __name__, description="Photos: create one, upload its file to S3, wait until ready."
)

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the next request, while the photo is `processing`.",
        "schema": {"type": "integer"},
    }
}

_OPTIONAL = ("failure_code", "width", "height", "blurhash", "alt_text")
"""Attributes of a photo that are absent from the response while they are None."""


@blueprint.post("/v1/me/photos")
@login_required
@limits.limit(limits.UPLOADS)
@blueprint.arguments(NewPhoto, as_kwargs=True)
@blueprint.response(201, PhotoUploadSchema)
@blueprint.alt_response(
    200,
    schema=PhotoUploadSchema,
    description="The photo that an earlier request with this key created.",
    headers=idempotency.REPLAYED_DOCUMENTED,
)
@takes(idempotency.parameter(required=False))
@raises(*idempotency.ERRORS, PhotoTooLargeError, UnsupportedPhotoTypeError)
def create_photo(
    *,
    content_type: str,
    size_bytes: int,
    checksum_sha256: str | None = None,
    alt_text: str | None = None,
) -> Any:
    """Creates a photo and returns where to upload its file.

    The file does not pass through this API: send it to `upload.url` with `upload.method` and
    `upload.headers` within an hour, then call `completePhoto`. Quota: `uploads`.

    **Retries**: with an `Idempotency-Key` the request can be repeated for 24 hours: there is one
    photo, and the response is 200 with a new upload URL. Without a key each request creates another
    photo.
    """
    created = photos.create(
        graph(),
        storage(),
        owner_id=viewer_id(),
        content_type=content_type,
        size_bytes=size_bytes,
        checksum_sha256=checksum_sha256,
        alt_text=alt_text,
        key=idempotency.key(),
    )
    body = {"id": created.photo.id, "state": created.photo.state, "upload": created.upload}
    return (body, 200, idempotency.REPLAYED) if created.replayed else body


@blueprint.post("/v1/me/photos/<id:photo_id>/complete")
@login_required
@blueprint.response(202, PhotoProgressSchema)
@raises(NotFoundError, NothingUploadedError)
def complete_photo(photo_id: int) -> Any:
    """Reports that the file of a photo is uploaded.

    Processing begins now: call `getPhoto` until the photo is `ready` or `failed`.

    **Retries**: can be repeated; returns the present state.
    """
    return photos.complete(graph(), storage(), photo_id, owner_id=viewer_id())


@blueprint.get("/v1/me/photos/<id:photo_id>")
@login_required
@blueprint.response(200, PhotoSchema, headers=_RETRY_AFTER)
@raises(NotFoundError)
def get_photo(photo_id: int) -> Any:
    """Returns one of your photos and its state.

    Fields without a value are absent: `renditions`, `width`, `height` and `blurhash` until the
    photo is `ready`, `failure_code` unless it is `failed`.
    """
    photo = graph().photos.by_id(photo_id, owner_id=viewer_id())
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if photo.state == "processing" else {}
    return _present_fields(photo), headers


def _present_fields(photo: Photo) -> dict[str, Any]:
    """The fields that have a value in the photo's present state."""
    optional = {name: getattr(photo, name) for name in _OPTIONAL}
    present = {name: value for name, value in optional.items() if value is not None}
    if photo.state == "ready":
        present["renditions"] = storage().photos.rendition_urls(photo.path)
    return {"id": photo.id, "state": photo.state, **present}
