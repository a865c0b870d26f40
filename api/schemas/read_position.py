"""Bodies about the read position in the feed."""

import time

from marshmallow import Schema, ValidationError, fields

from api.schemas import examples
from api.schemas.fields import Id
from graph.ids import CLOCK_TOLERANCE_MS, new_id


def _require_possible(post_id: int) -> None:
    """Raises ValidationError for an id of the future."""
    if post_id > new_id(time.time_ns() // 1_000_000 + CLOCK_TOLERANCE_MS):
        raise ValidationError("No post has this id yet.")


class NewPosition(Schema):
    """The newest post that the user has read. It may have left the feed since."""

    post_id = Id(required=True, example=examples.POST_ID, validate=_require_possible)


class UnreadSchema(Schema):
    """The number of unread posts of other users."""

    count = fields.Integer(required=True, metadata={"minimum": 0, "maximum": 100, "examples": [3]})
    capped = fields.Boolean(
        required=True,
        metadata={"description": "More than `count` are unread.", "examples": [False]},
    )
    newest_id = Id(
        required=True,
        allow_none=True,
        example=examples.POST_ID,
        metadata={
            "description": "The newest post of the feed, the user's own included; "
            "null in an empty feed."
        },
    )
