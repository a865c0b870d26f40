from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from api.schemas.fields import Id, Line, Password, Prose, Time
from api.services.passwords import MAX_PASSWORD_BYTES

LONGEST_NAME, LONGEST_BIO, LONGEST_LOCATION = 60, 500, 100


class PersonSchema(Schema):
    """Somebody, as they stand in a list or under a post."""

    id = Id(required=True)
    username = fields.String(required=True)
    name = fields.String(required=True)


class UserSchema(PersonSchema):
    """Somebody, as they describe themselves."""

    bio = fields.String(required=True, allow_none=True)
    location = fields.String(required=True, allow_none=True)
    created_at = Time(required=True)


class ViewerSchema(Schema):
    """How the viewer stands to a user."""

    following = fields.Boolean(required=True)
    followed_by = fields.Boolean(required=True)
    blocking = fields.Boolean(required=True)


class ProfileSchema(Schema):
    """A user's page."""

    id = Id(required=True, attribute="user.id")
    username = fields.String(required=True, attribute="user.username")
    name = fields.String(required=True, attribute="user.name")
    bio = fields.String(required=True, allow_none=True, attribute="user.bio")
    location = fields.String(required=True, allow_none=True, attribute="user.location")
    created_at = Time(required=True, attribute="user.created_at")
    follower_count = fields.Integer(required=True)
    following_count = fields.Integer(required=True)
    post_count = fields.Integer(required=True)
    viewer = fields.Nested(ViewerSchema, required=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """The three flags stand on the profile itself: `viewer` is the profile seen as those."""
        return obj if attr == "viewer" else super().get_attribute(obj, attr, default)


class UsernameQuery(Schema):
    """Whom to look up."""

    username = Line(longest=100, required=True)


class PeoplePage(Schema):
    """Some of a list of people; `next` leads on."""

    users = fields.List(fields.Nested(PersonSchema), required=True)
    next = fields.String()


class ProfileChanges(Schema):
    """What to change of oneself; what is absent stays. A new password needs the current one."""

    name = Line(shortest=1, longest=LONGEST_NAME)
    bio = Prose(longest=LONGEST_BIO, allow_none=True)
    location = Line(longest=LONGEST_LOCATION, allow_none=True)
    password = Password(shortest=8, longest_bytes=MAX_PASSWORD_BYTES)
    current_password = Password(longest_bytes=MAX_PASSWORD_BYTES)

    @validates_schema
    def both_passwords(self, data: dict[str, Any], **_: Any) -> None:
        """Refuses one of the two passwords without the other."""
        if ("password" in data) != ("current_password" in data):
            raise ValidationError("A new password comes with the current one.", "current_password")
