"""Bodies about Web Push. `expirationTime` and `p256dh` are the names that browsers send."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from api.schemas import examples
from api.schemas.fields import Id, Time
from web_push.endpoints import MAX_LENGTH
from web_push.keys import InvalidKeyError, read_auth, read_point

LATEST_MS = 253_402_300_799_000
"""The end of the year 9999, in Unix milliseconds: the latest time that can be written."""


class EpochMilliseconds(fields.Float):
    """A time in Unix milliseconds, as JavaScript has it: a whole number, or one with a fraction."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool | str):
            raise ValidationError("Not a number.")
        ms = super()._deserialize(value, attr, data, **kwargs)
        if math.isnan(ms) or ms > LATEST_MS:
            raise ValidationError("Not a time.")
        if ms <= time.time() * 1000:
            raise ValidationError("The subscription has expired: subscribe again.")
        return datetime.fromtimestamp(ms / 1000, UTC)


def _is_key(read: Callable[[str], bytes]) -> Callable[[str], None]:
    """A validator: raises ValidationError if `read` raises InvalidKeyError."""

    def validate_key(text: str) -> None:
        try:
            read(text)
        except InvalidKeyError as error:
            raise ValidationError(f"Not a key of a push subscription: {error}.") from None

    return validate_key


class PushKeySchema(Schema):
    """Our public key."""

    key = fields.String(
        required=True,
        metadata={
            "description": "A point of P-256, uncompressed, as base64url without padding.",
            "examples": [examples.PUSH_KEY],
        },
    )


class PushSubscriptionKeys(Schema):
    """The keys that messages to the browser are encrypted with."""

    p256dh = fields.String(
        required=True,
        validate=_is_key(read_point),
        metadata={
            "description": "A point of P-256, uncompressed, as base64url without padding.",
            "pattern": "^B[A-Za-z0-9_-]{85}[AEIMQUYcgkosw048]$",
            "examples": [examples.P256DH],
        },
    )
    auth = fields.String(
        required=True,
        validate=_is_key(read_auth),
        metadata={
            "description": "16 bytes as base64url without padding.",
            "pattern": "^[A-Za-z0-9_-]{21}[AQgw]$",
            "examples": [examples.PUSH_AUTH],
        },
    )


class NewPushSubscriptionSchema(Schema):
    """A browser's `PushSubscription`."""

    endpoint = fields.String(
        required=True,
        validate=validate.Length(1, MAX_LENGTH),
        metadata={
            "description": "A URL of the push service of Mozilla, Google, Apple or Microsoft.",
            "examples": [examples.PUSH_ENDPOINT],
        },
    )
    expiration_time = EpochMilliseconds(
        data_key="expirationTime",
        allow_none=True,
        load_default=None,
        metadata={
            "description": "Unix milliseconds; null: it never expires.",
            "maximum": LATEST_MS,
            "examples": [None],
        },
    )
    keys = fields.Nested(PushSubscriptionKeys, required=True)


class PushSubscriptionSchema(Schema):
    """A browser that gets notices."""

    id = Id(required=True, example=examples.PUSH_SUBSCRIPTION_ID)
    origin = fields.String(
        required=True,
        metadata={
            "description": "The push service of the browser.",
            "examples": [examples.PUSH_ORIGIN],
        },
    )
    created_at = Time(required=True, example=examples.SIGNED_IN_AT)
    current = fields.Boolean(
        required=True,
        metadata={
            "description": "True if it belongs to the session of this request.",
            "examples": [True],
        },
    )


class PushSubscriptionList(Schema):
    """All browsers of the user that get notices, newest first."""

    push_subscriptions = fields.List(fields.Nested(PushSubscriptionSchema), required=True)
