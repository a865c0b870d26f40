"""Bodies about notification settings."""

from marshmallow import Schema, ValidationError, fields

from api.schemas.fields import Flag, TimeOfDay
from graph.notification_settings import PUSH_KINDS, time_zones

_START, _END, _TIME_ZONE = "22:30", "07:00", "Europe/Berlin"
_END_DESCRIPTION = (
    "Not included. Before `start`, the hours last over midnight; equal to it, there are none."
)


def _require_time_zone(name: str) -> None:
    """Raises ValidationError."""
    if name not in time_zones():
        raise ValidationError("Not a time zone of the IANA database, such as Europe/Berlin.")


PushSettings = Schema.from_dict(
    {kind: Flag(required=True, metadata={"examples": [True]}) for kind in PUSH_KINDS},
    name="PushSettings",
)
PushSettings.__doc__ = "Each kind of push, and whether it is on."

PushChanges = Schema.from_dict(
    {kind: Flag(metadata={"examples": [True]}) for kind in PUSH_KINDS}, name="PushChanges"
)
PushChanges.__doc__ = "The kinds of pushes to turn on or off; the others stay as they are."


class QuietHoursSchema(Schema):
    """Hours of each day without pushes, by the clocks of the time zone."""

    start = TimeOfDay(required=True, example=_START)
    end = TimeOfDay(required=True, example=_END, metadata={"description": _END_DESCRIPTION})
    time_zone = fields.String(
        required=True,
        metadata={"description": "A name of the IANA database.", "examples": [_TIME_ZONE]},
    )


class QuietHoursChanges(Schema):
    """Changes of the quiet hours. Absent fields stay as they are; new hours need all three."""

    start = TimeOfDay(example=_START)
    end = TimeOfDay(example=_END, metadata={"description": _END_DESCRIPTION})
    time_zone = fields.String(
        validate=_require_time_zone,
        metadata={"description": "A name of the IANA database.", "examples": [_TIME_ZONE]},
    )


class NotificationSettingsSchema(Schema):
    """Which pushes a user gets, and when there are none."""

    push = fields.Nested(PushSettings, required=True)
    quiet_hours = fields.Nested(
        QuietHoursSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null: there are no quiet hours."},
    )


class NotificationSettingsChanges(Schema):
    """Changes of the settings (RFC 7396). Absent fields stay as they are, at each level."""

    push = fields.Nested(PushChanges)
    quiet_hours = fields.Nested(
        QuietHoursChanges,
        allow_none=True,
        metadata={"description": "Null ends the quiet hours."},
    )
