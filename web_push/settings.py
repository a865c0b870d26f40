"""The settings of Web Push."""

import re
from dataclasses import dataclass, field
from typing import Self

from environs import Env, ValidationError

from web_push.endpoints import address_of
from web_push.keys import InvalidKeyError, public_key_of, read_point, read_private_key

DEFAULT_SUBJECT = "mailto:operator@example.com"

_SUBJECT = re.compile(r"mailto:[^\s@]+@[^\s@]+|https://\S+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPushSettings:
    """Our key and the push services. Without a private key nobody can subscribe."""

    private_key: str = field(default="", repr=False)
    """The 32 bytes of a P-256 key as base64url; empty: Web Push is off."""
    given_public_key: str = ""
    """The public key where the private one is not known: all that the API needs."""
    subject: str = DEFAULT_SUBJECT
    """How a push service reaches the operator: a `mailto:` or `https:` URL."""
    origins: frozenset[str] = frozenset()
    """Origins of push services that are allowed beside the known ones, with any address."""

    @property
    def public_key(self) -> str:
        """The key that browsers subscribe with; empty if Web Push is off."""
        return public_key_of(self.private_key) if self.private_key else self.given_public_key

    @classmethod
    def from_env(cls, env: Env) -> Self:
        """The settings in the environment. `env.seal()` raises all errors together."""
        origins = env.str("PUSH_ORIGINS", "", validate=_require_origins) or ""
        return cls(
            private_key=env.str("VAPID_PRIVATE_KEY", "", validate=_require_private_key) or "",
            given_public_key=env.str("VAPID_PUBLIC_KEY", "", validate=_require_public_key) or "",
            subject=env.str("VAPID_SUBJECT", DEFAULT_SUBJECT, validate=_require_subject) or "",
            origins=frozenset(_split(origins)),
        )


def _require_private_key(text: str) -> None:
    try:
        if text:
            read_private_key(text)
    except InvalidKeyError as error:
        raise ValidationError(f"Not 32 bytes of a P-256 key as base64url: {error}.") from None


def _require_public_key(text: str) -> None:
    try:
        if text:
            read_point(text)
    except InvalidKeyError as error:
        raise ValidationError(f"Not the public key of a VAPID_PRIVATE_KEY: {error}.") from None


def _require_subject(text: str) -> None:
    if _SUBJECT.fullmatch(text) is None:
        raise ValidationError("Not a mailto: or https: URL.")


def _require_origins(text: str) -> None:
    for origin in _split(text):
        try:
            address_of(origin)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def _split(origins: str) -> list[str]:
    return [origin.strip() for origin in origins.split(",") if origin.strip()]
