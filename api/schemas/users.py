"""Bodies about users."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from api.schemas import examples
from api.schemas.fields import Id, Line, Name, Password, Prose, Time
from api.services.passwords import MAX_PASSWORD_BYTES

LONGEST_NAME, LONGEST_BIO, LONGEST_LOCATION = 60, 500, 100
"""Characters."""

_USERNAME = {"examples": [examples.USERNAME]}
_NAME = {"examples": [examples.NAME]}
_BIO = {"examples": ["Film and rivers."]}
_LOCATION = {"examples": ["Lisbon"]}


class UserSummarySchema(Schema):
    """A user in a list, or the author of a post."""

    id = Id(required=True, example=examples.USER_ID)
    username = fields.String(required=True, metadata=_USERNAME)
    name = fields.String(required=True, metadata=_NAME)


class UserSchema(UserSummarySchema):
    """A user as they describe themselves."""

    bio = fields.String(required=True, allow_none=True, metadata=_BIO)
    location = fields.String(required=True, allow_none=True, metadata=_LOCATION)
    created_at = Time(required=True, example=examples.JOINED_AT)


class RelationSchema(Schema):
    """The follows and blocks between the viewer and a user."""

    following = fields.Boolean(
        required=True,
        metadata={"description": "The viewer follows the user.", "examples": [True]},
    )
    followed_by = fields.Boolean(
        required=True,
        metadata={"description": "The user follows the viewer.", "examples": [False]},
    )
    blocking = fields.Boolean(
        required=True,
        metadata={
            "description": "The viewer blocks the user. Such a profile is 404, so it is false.",
            "examples": [False],
        },
    )


class ProfileSchema(Schema):
    """A user with counts and their relation to the viewer."""

    id = Id(required=True, example=examples.USER_ID, attribute="user.id")
    username = fields.String(required=True, attribute="user.username", metadata=_USERNAME)
    name = fields.String(required=True, attribute="user.name", metadata=_NAME)
    bio = fields.String(required=True, allow_none=True, attribute="user.bio", metadata=_BIO)
    location = fields.String(
        required=True, allow_none=True, attribute="user.location", metadata=_LOCATION
    )
    created_at = Time(required=True, example=examples.JOINED_AT, attribute="user.created_at")
    follower_count = fields.Integer(required=True, metadata={"examples": [128]})
    following_count = fields.Integer(required=True, metadata={"examples": [64]})
    post_count = fields.Integer(required=True, metadata={"examples": [32]})
    viewer = fields.Nested(RelationSchema, required=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """The value of a field. The flags of `viewer` are attributes of the profile itself."""
        return obj if attr == "viewer" else super().get_attribute(obj, attr, default)


class UsernameQuery(Schema):
    """A search for one user."""

    username = Line(
        longest=100,
        required=True,
        metadata={
            "description": "Upper and lower case are the same.",
            "examples": [examples.USERNAME],
        },
    )


class UserPage(Schema):
    """One page of a list of users."""

    users = fields.List(fields.Nested(UserSummarySchema), required=True)
    next = fields.String(
        metadata={
            "description": "The `cursor` of the next page. Absent at the end.",
            "examples": [examples.CURSOR],
        }
    )


class ProfileChanges(Schema):
    """Changes to the user's own account. Absent fields stay as they are.

    A new `password` needs the `current_password`.
    """

    name = Name(longest=LONGEST_NAME, metadata=_NAME)
    bio = Prose(longest=LONGEST_BIO, allow_none=True, metadata=_BIO)
    location = Line(longest=LONGEST_LOCATION, allow_none=True, metadata=_LOCATION)
    password = Password(shortest=8, longest_bytes=MAX_PASSWORD_BYTES)
    current_password = Password(longest_bytes=MAX_PASSWORD_BYTES)

    together = (("password", "current_password"),)

    @validates_schema
    def require_both_passwords(self, data: dict[str, Any], **_: Any) -> None:
        """Raises ValidationError for one of the two passwords without the other."""
        if ("password" in data) != ("current_password" in data):
            raise ValidationError("A new password needs the current one.", "current_password")
