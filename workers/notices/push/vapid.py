"""VAPID (RFC 8292): the signed token that tells a push service who sends."""

import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from web_push.keys import PRIVATE_BYTES, encode, public_key_of, read_private_key
from web_push.settings import WebPushSettings

TOKEN_SECONDS = 12 * 3_600
"""The life of a token. A push service refuses one of more than a day."""

RENEW_SECONDS = 6 * 3_600
"""A token is used for this long. The rest allows for wrong clocks."""

_HEADER = encode(b'{"typ":"JWT","alg":"ES256"}')


class Vapid:
    """Signs tokens with our key."""

    def __init__(self, settings: WebPushSettings) -> None:
        self._key = read_private_key(settings.private_key)
        self._public_key = public_key_of(settings.private_key)
        self._subject = settings.subject

    def authorization(self, origin: str, now: float) -> str:
        """The `Authorization` header for a push service's origin, valid for TOKEN_SECONDS."""
        claims = {"aud": origin, "exp": int(now) + TOKEN_SECONDS, "sub": self._subject}
        signed = f"{_HEADER}.{encode(json.dumps(claims, separators=(',', ':')).encode())}"
        return f"vapid t={signed}.{encode(self._sign(signed.encode()))},k={self._public_key}"

    def _sign(self, data: bytes) -> bytes:
        """The signature as JWS has it: the two numbers, 32 bytes each."""
        numbers = decode_dss_signature(self._key.sign(data, ec.ECDSA(SHA256())))
        return b"".join(number.to_bytes(PRIVATE_BYTES) for number in numbers)
