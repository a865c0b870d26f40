"""Bodies of the health checks."""

from marshmallow import Schema, fields

_STORE = {"description": "`ok`, or what is wrong.", "examples": ["ok"]}


class ChecksSchema(Schema):
    """The state of each store."""

    neo4j = fields.String(required=True, metadata=_STORE)
    queue = fields.String(required=True, metadata=_STORE)
    cache = fields.String(required=True, metadata=_STORE)
    s3 = fields.String(required=True, metadata=_STORE)
    oldest_event_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "For how many seconds the oldest event has been overdue; "
            "null if the graph does not answer.",
            "examples": [0.0],
        },
    )


class LivenessSchema(Schema):
    """The process answers."""

    status = fields.String(required=True, metadata={"enum": ["ok"], "examples": ["ok"]})


class ReadinessSchema(Schema):
    """Whether the process can serve requests: yes if `ok` or `degraded`, no if `unavailable`."""

    status = fields.String(
        required=True,
        metadata={"enum": ["ok", "degraded", "unavailable"], "examples": ["ok"]},
    )
    checks = fields.Nested(ChecksSchema, required=True)
