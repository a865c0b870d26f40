"""Bodies about notifications."""

from typing import Any

from marshmallow import Schema, fields, missing

from api.schemas import examples
from api.schemas.fields import Choice, Id, Time, require_past
from api.schemas.read_position import CountSchema
from api.schemas.users import UserSummarySchema
from graph.notification_kinds import KINDS


class NotificationSchema(Schema):
    """What one or more people did on one day (UTC), in one group."""

    id = Id(
        required=True,
        example=examples.NOTIFICATION_ID,
        metadata={"description": "The newest of the group. Send it as the new position."},
    )
    kind = Choice(
        schema_name="NotificationKind",
        choices=list(KINDS),
        description="Later versions can add kinds: show their `text`.",
        example="followed",
        required=True,
    )
    actor = fields.Nested(
        UserSummarySchema,
        required=True,
        metadata={"description": "The person who did it last."},
    )
    others_count = fields.Integer(
        required=True,
        metadata={
            "description": "The number of other people in the group.",
            "minimum": 0,
            "examples": [4],
        },
    )
    post_id = Id(
        example=examples.POST_ID,
        metadata={"description": "The post that it is about. Absent for kinds without one."},
    )
    created_at = Time(
        required=True,
        example=examples.NOTIFIED_AT,
        metadata={"description": "The time of the newest of the group."},
    )
    text = fields.String(
        required=True,
        metadata={
            "description": "A sentence with up to two names.",
            "examples": ["Ana Lopes, Bo and 3 others followed you"],
        },
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """The value of a field. A post that is None is absent."""
        value = super().get_attribute(obj, attr, default)
        return missing if attr == "post_id" and value is None else value


class NotificationPage(Schema):
    """One page of the notifications."""

    notifications = fields.List(fields.Nested(NotificationSchema), required=True)
    next = fields.String(
        metadata={
            "description": "The `cursor` of the next page. Absent at the end.",
            "examples": [examples.CURSOR],
        }
    )


class NewNotificationPosition(Schema):
    """The newest notification that the user has seen. It may be gone since."""

    notification_id = Id(required=True, example=examples.NOTIFICATION_ID, validate=require_past)


class UnreadNotificationsSchema(CountSchema):
    """The number of notifications above the user's position, before they are grouped."""

    newest_id = Id(
        required=True,
        allow_none=True,
        example=examples.NOTIFICATION_ID,
        metadata={"description": "The newest notification, read or not; null without any."},
    )
