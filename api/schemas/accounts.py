"""Bodies about accounts and sessions."""

import re

from marshmallow import Schema, ValidationError, fields

from api.schemas.fields import Id, Line, Password, Time
from api.schemas.users import LONGEST_NAME, UserSchema
from api.services.passwords import MAX_PASSWORD_BYTES

_USERNAME = re.compile(r"[A-Za-z0-9_.]{3,30}", re.ASCII)


def _require_username(text: str) -> None:
    """Raises ValidationError."""
    if _USERNAME.fullmatch(text) is None:
        raise ValidationError("3 to 30 of the letters a to z, digits, _ and .")


class NewAccount(Schema):
    """A sign-up."""

    username = fields.String(
        required=True,
        validate=_require_username,
        metadata={
            "description": "Unique without regard to upper and lower case.",
            "pattern": f"^{_USERNAME.pattern}$",
            "examples": ["ana"],
        },
    )
    password = Password(shortest=8, longest_bytes=MAX_PASSWORD_BYTES, required=True)
    name = Line(
        shortest=1,
        longest=LONGEST_NAME,
        metadata={"description": "The username, if absent.", "examples": ["Ana Lopes"]},
    )


class Credentials(Schema):
    """A sign-in."""

    username = Line(longest=100, required=True, metadata={"examples": ["ana"]})
    password = Password(longest_bytes=MAX_PASSWORD_BYTES, required=True)


class NewSessionSchema(Schema):
    """A new session. No later response contains its token."""

    user = fields.Nested(UserSchema, required=True)
    auth_token = fields.String(
        required=True,
        metadata={
            "description": "Send it as `Authorization: Bearer pf_…`.",
            "examples": ["pf_AAF3AAAAAAE7pUq1vC4d9Jr0Kx2Wm5Zt8Yb6Nh3Lg7Qs"],
        },
    )
    expires_at = Time(required=True, example="2026-12-22T19:53:44.120Z")


class SessionSchema(Schema):
    """One of the user's sessions."""

    id = Id(required=True)
    created_at = Time(required=True)
    expires_at = Time(required=True, example="2026-12-22T19:53:44.120Z")
    current = fields.Boolean(
        required=True,
        metadata={"description": "True for the session of this request.", "examples": [True]},
    )


class SessionList(Schema):
    """All sessions of the user, newest first."""

    sessions = fields.List(fields.Nested(SessionSchema), required=True)
