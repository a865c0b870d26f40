"""Bodies about accounts and sessions."""

import re

from marshmallow import Schema, ValidationError, fields

from api.schemas import examples
from api.schemas.fields import Id, Line, Name, Password, Time
from api.schemas.users import LONGEST_NAME, UserSchema
from api.services.passwords import MAX_PASSWORD_BYTES
from api.services.sessions import LONGEST_USER_AGENT

_USERNAME = re.compile(r"[A-Za-z0-9](?:(?:\.?_)*\.?[A-Za-z0-9])+", re.ASCII)
"""A letter or digit first and last, and no two dots together.

Earlier versions accepted such names. Their users keep them: sign-in and searches do not ask.
"""

_SHORTEST_USERNAME, _LONGEST_USERNAME = 3, 30


def _require_username(text: str) -> None:
    """Raises ValidationError."""
    fits = _SHORTEST_USERNAME <= len(text) <= _LONGEST_USERNAME
    if not fits or _USERNAME.fullmatch(text) is None:
        raise ValidationError(
            "3 to 30 of the letters a to z, digits, _ and . with a letter or digit first and last, "
            "and no two dots together."
        )


class NewAccount(Schema):
    """A sign-up."""

    username = fields.String(
        required=True,
        validate=_require_username,
        metadata={
            "description": "Unique without regard to upper and lower case. A letter or digit is "
            "first and last, and no two dots are together.",
            "pattern": f"^{_USERNAME.pattern}$",
            "minLength": _SHORTEST_USERNAME,
            "maxLength": _LONGEST_USERNAME,
            "examples": [examples.USERNAME],
        },
    )
    password = Password(shortest=8, longest_bytes=MAX_PASSWORD_BYTES, required=True)
    name = Name(
        longest=LONGEST_NAME,
        metadata={"description": "The username, if absent.", "examples": [examples.NAME]},
    )


class Credentials(Schema):
    """A sign-in."""

    username = Line(longest=100, required=True, metadata={"examples": [examples.USERNAME]})
    password = Password(longest_bytes=MAX_PASSWORD_BYTES, required=True)


class Confirmation(Schema):
    """What confirms a request that cannot be made by mistake."""

    password = Password(longest_bytes=MAX_PASSWORD_BYTES, required=True)


class LeavingSchema(Schema):
    """An account that will be deleted."""

    undo_until = Time(required=True, example=examples.UNDO_UNTIL)


def _session_end() -> Time:
    return Time(
        required=True,
        example=examples.SESSION_EXPIRES_AT,
        metadata={
            "description": "The session ends at this time at the latest, and sooner if it is not "
            "used for some days: 14 by default."
        },
    )


class NewSessionSchema(Schema):
    """A new session. No later response contains its token."""

    user = fields.Nested(UserSchema, required=True)
    auth_token = fields.String(
        required=True,
        metadata={
            "description": "Send it as `Authorization: Bearer pf_…`.",
            "examples": [examples.TOKEN],
        },
    )
    expires_at = _session_end()


class SessionSchema(Schema):
    """One of the user's sessions."""

    id = Id(required=True, example=examples.SESSION_ID)
    created_at = Time(required=True, example=examples.SIGNED_IN_AT)
    expires_at = _session_end()
    last_used_at = Time(
        required=True,
        allow_none=True,
        example=examples.SESSION_USED_AT,
        metadata={
            "description": "Written once an hour. Null for a session of an older version, until "
            "it is used."
        },
    )
    network = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Where the session began: an IPv4 address or an IPv6 /64. Null for a "
            "session of an older version.",
            "examples": [examples.NETWORK],
        },
    )
    user_agent = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The beginning of the header of the sign-in, at most 200 characters.",
            "maxLength": LONGEST_USER_AGENT,
            "examples": [examples.USER_AGENT],
        },
    )
    current = fields.Boolean(
        required=True,
        metadata={"description": "True for the session of this request.", "examples": [True]},
    )


class SessionList(Schema):
    """All sessions of the user, newest first."""

    sessions = fields.List(fields.Nested(SessionSchema), required=True)
