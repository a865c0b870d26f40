"""Keys and settings of Web Push for tests."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from drill.support.push_service import PushService, encode
from web_push.keys import public_key_of
from web_push.settings import WebPushSettings


def new_private_key() -> str:
    """A VAPID key, as the settings have it."""
    return encode(
        ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32)
    )


def settings_for(*services: PushService, **changes: Any) -> WebPushSettings:
    """Settings with a new key, which these services expect, and their origins."""
    fields: dict[str, Any] = {
        "private_key": new_private_key(),
        "origins": frozenset(service.origin for service in services),
    }
    settings = WebPushSettings(**fields | changes)
    for service in services:
        service.public_key = public_key_of(settings.private_key)
    return settings
