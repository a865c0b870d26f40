"""The body of every error."""

from marshmallow import Schema, fields


class ProblemSchema(Schema):
    """Why a request failed (RFC 9457)."""

    type = fields.String(required=True, metadata={"examples": ["urn:photofeed:problem:not-found"]})
    title = fields.String(required=True, metadata={"examples": ["Not found"]})
    status = fields.Integer(required=True, metadata={"examples": [404]})
    detail = fields.String(
        required=True,
        metadata={
            "description": "An explanation for people.",
            "examples": ["There is nothing here, or you may not see it."],
        },
    )
    code = fields.String(
        required=True,
        metadata={
            "description": "The kind of problem, for programs. It is stable; a client must accept "
            "codes that it does not know.",
            "examples": ["not-found"],
        },
    )
    request_id = fields.String(
        required=True,
        metadata={
            "description": "The same as the header `X-Request-Id`. Quote it in a report.",
            "examples": ["90c42e46e32eaa1200002e115b9caa34"],
        },
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "Messages by the name of the field that is wrong."},
    )
