import base64
import binascii

from marshmallow import Schema, ValidationError, fields, validate

from api.schemas.fields import Id, Prose, Time

LONGEST_ALT_TEXT = 1000

_SHA256_BYTES = 32


def _checksum(text: str) -> None:
    try:
        size = len(base64.b64decode(text.encode("ascii"), validate=True))
    except (UnicodeEncodeError, binascii.Error):
        size = 0
    if size != _SHA256_BYTES:
        raise ValidationError("Not a SHA-256 in base64.")


class NewPhoto(Schema):
    """What will be uploaded: the upload is signed for exactly this."""

    content_type = fields.String(required=True, metadata={"example": "image/jpeg"})
    size_bytes = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=1), metadata={"maximum": 15_000_000}
    )
    checksum_sha256 = fields.String(
        validate=_checksum, metadata={"description": "SHA-256 of the file, in base64."}
    )
    alt_text = Prose(longest=LONGEST_ALT_TEXT)


class UploadSchema(Schema):
    """Where to send the file: this method, URL and headers, and the bytes as body."""

    method = fields.String(required=True)
    url = fields.String(required=True)
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    expires_at = Time(required=True)


class PhotoStateSchema(Schema):
    """How far a photo is."""

    id = Id(required=True)
    state = fields.String(
        required=True,
        metadata={"enum": ["waiting", "processing", "ready", "failed", "expired"]},
    )


class BegunPhotoSchema(PhotoStateSchema):
    """A photo that waits for its bytes."""

    upload = fields.Nested(UploadSchema, required=True)


class RenditionsSchema(Schema):
    """URLs by the longest side in pixels. They do not change and cannot be guessed."""

    class Meta:
        """Names that are no Python names."""

        include = {  # noqa: RUF012 - marshmallow's own way
            "1080": fields.String(required=True),
            "640": fields.String(required=True),
            "320": fields.String(required=True),
        }


class PhotoSchema(PhotoStateSchema):
    """A photo of one's own; what it does not have yet is left out."""

    failure_code = fields.String()
    width = fields.Integer()
    height = fields.Integer()
    blurhash = fields.String()
    alt_text = fields.String()
    renditions = fields.Nested(RenditionsSchema)
