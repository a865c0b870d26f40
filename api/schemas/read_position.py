"""Bodies about the read position in the feed."""

from marshmallow import Schema, fields

from api.schemas import examples
from api.schemas.fields import Id, require_past


class NewPosition(Schema):
    """The newest post that the user has read. It may have left the feed since."""

    post_id = Id(required=True, example=examples.POST_ID, validate=require_past)


class CountSchema(Schema):
    """A number of unread things, up to 100."""

    count = fields.Integer(required=True, metadata={"minimum": 0, "maximum": 100, "examples": [3]})
    capped = fields.Boolean(
        required=True,
        metadata={"description": "More than `count` are unread.", "examples": [False]},
    )


class UnreadSchema(CountSchema):
    """The number of unread posts of other users."""

    newest_id = Id(
        required=True,
        allow_none=True,
        example=examples.POST_ID,
        metadata={
            "description": "The newest post of the feed, the user's own included; "
            "null in an empty feed."
        },
    )
