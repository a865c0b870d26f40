"""Bodies about photos and their uploads."""

import base64
import binascii
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from api.schemas import content_types, examples
from api.schemas.fields import Choice, Id, Prose, Time, WholeNumber
from api.services.photos import CONTENT_TYPES, MAX_PHOTO_BYTES

LONGEST_ALT_TEXT = 1000
"""Characters."""

_SHA256_BYTES = 32

_ALT_TEXT = {
    "description": "A description for people who cannot see the photo.",
    "examples": [examples.ALT_TEXT],
}

STATES = ("waiting", "processing", "ready", "failed", "expired")
"""The states of a photo that its owner can see."""

_MEDIA = "https://media.example.org/media/Zk3vXq8TnB2yWd5RfLh7Cg"


def _require_checksum(text: str) -> None:
    """Raises ValidationError."""
    try:
        size = len(base64.b64decode(text.encode("ascii"), validate=True))
    except (UnicodeEncodeError, binascii.Error):
        size = 0
    if size != _SHA256_BYTES:
        raise ValidationError("Not a SHA-256 in base64.")


def _state(example: str) -> Choice:
    return Choice(
        required=True,
        schema_name="PhotoState",
        choices=STATES,
        description="`waiting`: for the upload. `processing`: the renditions are being made. "
        "`ready`: the photo can be posted. `failed`: see `failure_code`. `expired`: the photo "
        "was not uploaded, or not posted, within 24 hours.",
        example=example,
    )


class ContentType(fields.String):
    """The content type of a photo, in whatever way it is spelled. It can be another one's."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return content_types.normalize(super()._deserialize(value, attr, data, **kwargs))


def state_of_query() -> fields.String:
    """The field of a query that chooses a state; None chooses all."""
    return fields.String(
        load_default=None,
        validate=validate.OneOf(STATES),
        metadata={"description": "Only photos in this state.", "examples": ["ready"]},
    )


class NewPhoto(Schema):
    """The file that will be uploaded. The upload URL is signed for this type, size and checksum."""

    content_type = ContentType(
        required=True,
        metadata={
            "description": "Other spellings are accepted, such as `image/jpg`, `image/heif`, "
            "capitals and parameters. `upload.headers` has the type to send.",
            "enum": list(CONTENT_TYPES),
            "examples": ["image/jpeg"],
        },
    )
    size_bytes = WholeNumber(
        required=True,
        validate=validate.Range(min=1),
        metadata={"maximum": MAX_PHOTO_BYTES, "examples": [3141592]},
    )
    checksum_sha256 = fields.String(
        validate=_require_checksum,
        metadata={
            "description": "The SHA-256 of the file, in base64.",
            "pattern": "^[A-Za-z0-9+/]{43}=$",
            "examples": ["n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="],
        },
    )
    alt_text = Prose(longest=LONGEST_ALT_TEXT, metadata=_ALT_TEXT)


class UploadSchema(Schema):
    """How to send the file: a request with this method, URL and headers, the file as its body."""

    method = fields.String(required=True, metadata={"enum": ["PUT"], "examples": ["PUT"]})
    url = fields.String(
        required=True,
        metadata={
            "examples": ["https://s3.example.org/photofeed/incoming/Zk3v?X-Amz-Signature=9f"]
        },
    )
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={
            "description": "They are part of the signature: send them as they are.",
            "examples": [{"Content-Type": "image/jpeg"}],
        },
    )
    expires_at = Time(required=True, example=examples.UPLOAD_EXPIRES_AT)


class PhotoUploadSchema(Schema):
    """A new photo and how to upload its file."""

    id = Id(required=True, example=examples.PHOTO_ID)
    state = _state("waiting")
    upload = fields.Nested(UploadSchema, required=True)


class PhotoProgressSchema(Schema):
    """A photo and its state."""

    id = Id(required=True, example=examples.PHOTO_ID)
    state = _state("processing")


class RenditionsSchema(Schema):
    """URLs of the photo as JPEG, by the longest side in pixels.

    A picture longer than 27:8, such as a panorama, is larger, so that it stays legible: its shorter
    side has 8/27 of this number of pixels (320 of 1080), its longer side up to four times the
    number. No picture is enlarged. The URLs are stable and cannot be guessed.
    """

    class Meta:
        """Field names that are not Python names."""

        include = {  # noqa: RUF012 - marshmallow's own way
            side: fields.String(required=True, metadata={"examples": [f"{_MEDIA}/{side}.jpg"]})
            for side in ("1080", "640", "320")
        }


class PhotoSchema(Schema):
    """One of the user's own photos. Fields without a value are absent."""

    id = Id(required=True, example=examples.PHOTO_ID)
    state = _state("ready")
    failure_code = fields.String(
        metadata={"description": "Why the photo failed, for programs, such as `not-an-image`."}
    )
    width = fields.Integer(metadata={"description": "Pixels, upright.", "examples": [3000]})
    height = fields.Integer(metadata={"description": "Pixels, upright.", "examples": [4000]})
    blurhash = fields.String(
        metadata={
            "description": "A placeholder for the photo (https://blurha.sh).",
            "examples": [examples.BLURHASH],
        }
    )
    alt_text = fields.String(metadata=_ALT_TEXT)
    renditions = fields.Nested(RenditionsSchema)
    post_id = Id(
        example=examples.POST_ID, metadata={"description": "The post that shows the photo."}
    )
    expires_at = Time(
        example=examples.PHOTO_EXPIRES_AT,
        metadata={"description": "When the photo expires unless it is posted before."},
    )


class PhotoPage(Schema):
    """One page of the user's photos."""

    photos = fields.List(fields.Nested(PhotoSchema), required=True)
    next = fields.String(
        metadata={
            "description": "The `cursor` of the next page. Absent at the end.",
            "examples": [examples.CURSOR],
        }
    )
