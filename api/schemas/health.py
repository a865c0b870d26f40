from marshmallow import Schema, fields


class ChecksSchema(Schema):
    """What each store says: `ok`, or what is wrong."""

    neo4j = fields.String(required=True)
    queue = fields.String(required=True)
    cache = fields.String(required=True)
    s3 = fields.String(required=True)
    oldest_event_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How long the oldest owed work is overdue."},
    )


class LivenessSchema(Schema):
    """That this process answers."""

    status = fields.String(required=True, metadata={"enum": ["ok"]})


class ReadinessSchema(Schema):
    """Whether this process can serve: `ok`, `degraded` (it can), `unavailable`."""

    status = fields.String(required=True, metadata={"enum": ["ok", "degraded", "unavailable"]})
    checks = fields.Nested(ChecksSchema, required=True)
