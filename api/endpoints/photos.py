"""Photos, from the upload until they can be posted."""

from typing import Any

from api.http import idempotency, limits
from api.http.auth import login_required
from api.http.context import completions, graph, graph_pages, storage, viewer_id
from api.http.errors import RETRY_AFTER_SECONDS
from api.http.openapi import raises, takes
from api.http.paging import LINK, PageQuery, page, upper_bound
from api.http.parsing import Blueprint
from api.schemas.photos import (
    NewPhoto,
    PhotoPage,
    PhotoProgressSchema,
    PhotoSchema,
    PhotoUploadSchema,
    state_of_query,
)
from api.services import photos
from api.services.errors import (
    NothingUploadedError,
    PhotoTooLargeError,
    UnsupportedPhotoTypeError,
    UploadLimitReachedError,
)
from graph.errors import NotFoundError, PhotoPostedError
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

_OPTIONAL = ("failure_code", "width", "height", "blurhash", "alt_text", "post_id")
"""Attributes of a photo that are absent from the response while they are None."""


class PhotoQuery(PageQuery):
    """The query of a page of photos."""

    state = state_of_query()


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
@raises(*idempotency.ERRORS, PhotoTooLargeError, UnsupportedPhotoTypeError, UploadLimitReachedError)
def create_photo(
    *,
    content_type: str,
    size_bytes: int,
    checksum_sha256: str | None = None,
    alt_text: str | None = None,
) -> Any:
    """Creates a photo and returns where to upload its file.

    The file does not pass through this API: send it to `upload.url` with `upload.method` and
    `upload.headers` within an hour, then call `completePhoto`. A photo that is not posted within 24
    hours expires, and its file is removed. Quota: `uploads`; there is a limit of photos and of
    bytes a day too.

    **Retries**: with an `Idempotency-Key` the request can be repeated for 24 hours: there is one
    photo, which counts once, and the response is 200 with a new upload URL. Without a key each
    request creates another photo.
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
        daily=limits.daily_uploads(),
    )
    body = {"id": created.photo.id, "state": created.photo.state, "upload": created.upload}
    return (body, 200, idempotency.REPLAYED) if created.replayed else body


@blueprint.post("/v1/me/photos/<id:photo_id>/complete")
@login_required
@blueprint.response(202, PhotoProgressSchema)
@raises(NotFoundError, NothingUploadedError)
def complete_photo(photo_id: int) -> Any:
    """Reports that the file of a photo is uploaded.

    Processing begins now: call `getPhoto` until the photo is `ready` or `failed`. While S3 is slow,
    few completions of a user wait for it, and others are 429 `too-many-requests`.

    **Retries**: can be repeated; returns the present state.
    """
    return photos.complete(graph(), storage(), completions(), photo_id, owner_id=viewer_id())


@blueprint.get("/v1/me/photos")
@login_required
@blueprint.arguments(PhotoQuery, location="query", as_kwargs=True)
@blueprint.response(200, PhotoPage, headers=LINK)
def list_photos(*, cursor: str | None, limit: int, state: str | None) -> Any:
    """Lists your photos, newest first, or those in one state.

    Photos that a post shows have its `post_id`. Deleted photos, and those of deleted posts, are
    left out; failed and expired ones are listed for a week.
    """
    with graph_pages().counted(viewer_id()):
        photos_of_page, next_id = graph().photos.by_owner(
            viewer_id(), state=state, before=upper_bound(cursor), limit=limit
        )
    return page(next_id, limit, photos=[_present_fields(photo) for photo in photos_of_page])


@blueprint.delete("/v1/me/photos/<id:photo_id>")
@login_required
@blueprint.response(204)
@raises(NotFoundError, PhotoPostedError)
def delete_photo(photo_id: int) -> Any:
    """Deletes one of your photos that no post shows.

    It cannot be posted any more, and its files are removed within 90 s. 409 if a post shows it:
    delete the post.

    **Retries**: can be repeated; 204 again for 24 hours.
    """
    photos.delete(graph(), storage(), photo_id, owner_id=viewer_id())


@blueprint.get("/v1/me/photos/<id:photo_id>")
@login_required
@blueprint.response(200, PhotoSchema, headers=_RETRY_AFTER)
@raises(NotFoundError)
def get_photo(photo_id: int) -> Any:
    """Returns one of your photos and its state.

    Fields without a value are absent: `renditions`, `width`, `height` and `blurhash` until the
    photo is `ready`, `failure_code` unless it is `failed`, `post_id` unless a post shows it,
    `expires_at` unless it is `waiting` or `ready` and no post shows it.
    """
    photo = graph().photos.by_id(photo_id, owner_id=viewer_id())
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if photo.state == "processing" else {}
    return _present_fields(photo), headers


def _present_fields(photo: Photo) -> dict[str, Any]:
    """The fields that have a value in the photo's present state."""
    optional = {name: getattr(photo, name) for name in _OPTIONAL}
    present = {name: value for name, value in optional.items() if value is not None}
    if photo.state in {"waiting", "ready"} and photo.unposted_until:
        present["expires_at"] = photo.unposted_until
    if photo.state == "ready":
        present["renditions"] = storage().photos.rendition_urls(photo.path)
    return {"id": photo.id, "state": photo.state, **present}
