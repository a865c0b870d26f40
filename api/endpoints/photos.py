"""Photos on their way into a post."""

from typing import Any

from api.http import idempotency, limits
from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.errors import AGAIN_SECONDS
from api.http.parsing import Blueprint
from api.schemas.photos import BegunPhotoSchema, NewPhoto, PhotoSchema, PhotoStateSchema
from api.services import photos
from graph.photos import Photo

blueprint = Blueprint("photos", __name__, description="Photos on their way into a post")


@blueprint.post("/v1/me/photos")
@login_required
@limits.limited(limits.UPLOADS)
@blueprint.doc(parameters=[idempotency.parameter(required=False)])
@blueprint.arguments(NewPhoto, as_kwargs=True)
@blueprint.response(201, BegunPhotoSchema)
@blueprint.alt_response(410, "GONE")
@blueprint.alt_response(200, schema=BegunPhotoSchema, description="The key's first photo again")
def begin_photo(
    *,
    content_type: str,
    size_bytes: int,
    checksum_sha256: str | None = None,
    alt_text: str | None = None,
) -> Any:
    """A new photo, and where to send its bytes: a presigned PUT, good for an hour."""
    begun = photos.begin(
        graph(),
        storage(),
        owner_id=viewer_id(),
        content_type=content_type,
        size_bytes=size_bytes,
        checksum_sha256=checksum_sha256,
        alt_text=alt_text,
        key=idempotency.key(),
    )
    body = {"id": begun.photo.id, "state": begun.photo.state, "upload": begun.upload}
    return (body, 200, idempotency.REPLAYED) if begun.replayed else body


@blueprint.post("/v1/me/photos/<id:photo_id>/complete")
@login_required
@blueprint.response(202, PhotoStateSchema)
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
def complete_photo(photo_id: int) -> Any:
    """Say that the bytes are there; they are looked at from now on. Again is fine."""
    return photos.complete(graph(), storage(), photo_id, owner_id=viewer_id())


@blueprint.get("/v1/me/photos/<id:photo_id>")
@login_required
@blueprint.response(200, PhotoSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def photo(photo_id: int) -> Any:
    """How far one's photo is."""
    found = graph().photos.by_id(photo_id, owner_id=viewer_id())
    again = {"Retry-After": str(AGAIN_SECONDS)} if found.state == "processing" else {}
    return _known_of(found), again


def _known_of(found: Photo) -> dict[str, Any]:
    """The photo without what it does not have (yet)."""
    names = ("id", "state", "failure_code", "width", "height", "blurhash", "alt_text")
    known = {name: getattr(found, name) for name in names if getattr(found, name) is not None}
    if found.state == "ready":
        known["renditions"] = storage().photos.rendition_urls(found.path)
    return known
