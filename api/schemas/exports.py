"""Bodies about exports of one's own data."""

from marshmallow import Schema, fields

from api.schemas import examples
from api.schemas.fields import Choice, Id, Time

_LINK = "https://s3.example.org/photofeed/exports/5GqZ/1-3.zip?X-Amz-Signature=9f"


def _state(example: str) -> Choice:
    return Choice(
        required=True,
        schema_name="ExportState",
        choices=("waiting", "running", "ready", "failed", "expired"),
        description="`waiting`: for a worker. `running`: parts are being made. `ready`: all parts "
        "can be downloaded until `expires_at`. `failed`: see `failure_code`; ask for another one. "
        "`expired`: the files have been removed.",
        example=example,
    )


def _created_at() -> Time:
    return Time(required=True, example=examples.EXPORTED_AT)


class NewExportSchema(Schema):
    """An export that a worker makes now."""

    id = Id(required=True, example=examples.EXPORT_ID)
    state = _state("waiting")
    created_at = _created_at()


class ExportSummarySchema(Schema):
    """An export, without the links to its parts. Fields without a value are absent."""

    id = Id(required=True, example=examples.EXPORT_ID)
    state = _state("ready")
    created_at = _created_at()
    failure_code = fields.String(
        metadata={"description": "Why it failed, for programs, such as `no-progress`."}
    )
    expires_at = Time(
        example=examples.EXPORT_EXPIRES_AT,
        metadata={"description": "When the links of a ready export end."},
    )
    part_count = fields.Integer(
        required=True,
        metadata={"description": "The parts that have been made.", "examples": [1]},
    )
    size_bytes = fields.Integer(
        required=True,
        metadata={"description": "The bytes of these parts together.", "examples": [31415926]},
    )
    missing_count = fields.Integer(
        required=True,
        metadata={
            "description": "Photos whose files could not be read. Each part lists its own in "
            "`missing.json`.",
            "examples": [0],
        },
    )


class ExportPartSchema(Schema):
    """A zip file that can be opened alone."""

    number = fields.Integer(required=True, metadata={"examples": [1]})
    url = fields.String(
        required=True,
        metadata={
            "description": "A GET of it downloads the part, without a token, until `expires_at`. "
            "Whoever has it can do that: show it to nobody.",
            "examples": [_LINK],
        },
    )
    size_bytes = fields.Integer(required=True, metadata={"examples": [31415926]})


class ExportSchema(ExportSummarySchema):
    """An export, and the links to its parts once it is ready."""

    parts = fields.List(
        fields.Nested(ExportPartSchema),
        required=True,
        metadata={"description": "Empty unless the export is ready."},
    )
    next = fields.String(
        metadata={
            "description": "The `cursor` of the next page of parts. Absent at the end.",
            "examples": [examples.CURSOR],
        }
    )


class ExportList(Schema):
    """The user's newest exports, newest first."""

    exports = fields.List(fields.Nested(ExportSummarySchema), required=True)
