from marshmallow import Schema, fields


class ProblemSchema(Schema):
    """Why a request was refused: RFC 9457."""

    type = fields.String(required=True, metadata={"example": "urn:photofeed:problem:not-found"})
    title = fields.String(required=True)
    status = fields.Integer(required=True, metadata={"example": 404})
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "Stable.", "example": "not-found"})
    request_id = fields.String(
        required=True, metadata={"description": "As in X-Request-Id: say it when you ask us."}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong, by field."},
    )
