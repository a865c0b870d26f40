"""Keys of Web Push: ours (VAPID, RFC 8292), and those of a subscription (RFC 8291)."""

import base64
import binascii
import re
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()

PRIVATE_BYTES = 32
POINT_BYTES = 65
"""A point of the curve, uncompressed."""
AUTH_BYTES = 16
"""The authentication secret of a subscription."""

_UNPADDED = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


class InvalidKeyError(ValueError):
    """A text is not a key of the expected kind. The message does not contain it."""


def encode(data: bytes) -> str:
    """The bytes as base64url without padding, as all texts of Web Push are."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str, length: int) -> bytes:
    """The bytes of base64url without padding. Raises InvalidKeyError for another length."""
    if _UNPADDED.fullmatch(text) is None:
        raise InvalidKeyError("not base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise InvalidKeyError("not base64url without padding") from None
    if len(data) != length or encode(data) != text:
        raise InvalidKeyError(f"not {length} bytes")
    return data


@lru_cache(maxsize=4)
def read_private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Our private key: 32 bytes as base64url. Raises InvalidKeyError."""
    number = int.from_bytes(decode(text, PRIVATE_BYTES))
    try:
        return ec.derive_private_key(number, CURVE)
    except ValueError:
        raise InvalidKeyError("not a private key of P-256") from None


@lru_cache(maxsize=4)
def public_key_of(private_key: str) -> str:
    """The public key that browsers subscribe with, as base64url. Raises InvalidKeyError."""
    point = read_private_key(private_key).public_key()
    return encode(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def read_point(text: str) -> bytes:
    """The 65 bytes of a subscription's `p256dh`, a point of P-256. Raises InvalidKeyError."""
    data = decode(text, POINT_BYTES)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, data)
    except ValueError:
        raise InvalidKeyError("not a point of P-256") from None
    return data


def read_auth(text: str) -> bytes:
    """The 16 bytes of a subscription's `auth`. Raises InvalidKeyError."""
    return decode(text, AUTH_BYTES)
