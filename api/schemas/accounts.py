import re

from marshmallow import Schema, ValidationError, fields

from api.schemas.fields import Id, Line, Password, Time
from api.schemas.users import LONGEST_NAME, UserSchema
from api.services.passwords import MAX_PASSWORD_BYTES

_USERNAME = re.compile(r"[A-Za-z0-9_.]{3,30}", re.ASCII)


def _username(text: str) -> None:
    if _USERNAME.fullmatch(text) is None:
        raise ValidationError("3 to 30 of the letters a to z, digits, _ and .")


class NewAccount(Schema):
    """Who signs up."""

    username = fields.String(
        required=True,
        validate=_username,
        metadata={"pattern": f"^{_USERNAME.pattern}$", "example": "ana"},
    )
    password = Password(shortest=8, longest_bytes=MAX_PASSWORD_BYTES, required=True)
    name = Line(shortest=1, longest=LONGEST_NAME)


class Credentials(Schema):
    """Who signs in."""

    username = Line(longest=100, required=True)
    password = Password(longest_bytes=MAX_PASSWORD_BYTES, required=True)


class SignedInSchema(Schema):
    """A session that has begun; the token is shown this once."""

    user = fields.Nested(UserSchema, required=True)
    auth_token = fields.String(required=True, metadata={"example": "pf_AAAB…"})
    expires_at = Time(required=True)


class SessionSchema(Schema):
    """One of the user's sign-ins."""

    id = Id(required=True)
    created_at = Time(required=True)
    expires_at = Time(required=True)
    current = fields.Boolean(required=True, metadata={"description": "The one that asks."})


class SessionList(Schema):
    """All of the user's sign-ins, newest first."""

    sessions = fields.List(fields.Nested(SessionSchema), required=True)
