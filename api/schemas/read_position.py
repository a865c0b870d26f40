"""A feed's reading position, and what is unread above it."""

import time

from marshmallow import Schema, ValidationError, fields

from api.schemas.fields import Id
from graph.ids import CLOCK_TOLERANCE_MS, new_id


def _possible(post_id: int) -> None:
    if post_id > new_id(time.time_ns() // 1_000_000 + CLOCK_TOLERANCE_MS):
        raise ValidationError("No post has this id yet.")


class NewPosition(Schema):
    """The newest post that was read. It need not be in the feed: it is a place."""

    post_id = Id(required=True, validate=_possible)


class UnreadSchema(Schema):
    """How many posts of others are above the position; own and deleted ones do not count."""

    count = fields.Integer(required=True, metadata={"minimum": 0, "maximum": 100})
    capped = fields.Boolean(required=True, metadata={"description": "There are more than `count`."})
    newest_id = Id(
        required=True,
        allow_none=True,
        metadata={"description": "The feed's newest post, one's own too; null in an empty feed."},
    )
