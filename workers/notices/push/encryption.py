"""Encryption of a push message for one browser: RFC 8291 with `aes128gcm` of RFC 8188.

A message is one record: header (salt, record size, our public key), then the ciphertext.
"""

import hmac
import os
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from web_push.keys import CURVE, POINT_BYTES

SALT_BYTES = 16
RECORD_BYTES = 4_096
"""The record size in the header. A message is one record that is shorter."""

LAST_RECORD = b"\x02"
"""The delimiter after the text of the last record."""


def encrypt(
    text: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    private_key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of a request to the push service.

    `private_key` and `salt` are new for each message; only a test gives them. Raises ValueError if
    `p256dh` is not a point of the curve.
    """
    private_key = private_key or ec.generate_private_key(CURVE)
    salt = salt or os.urandom(SALT_BYTES)
    public = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, p256dh)
    shared = private_key.exchange(ec.ECDH(), browser)
    secret = _derive(auth, shared, b"WebPush: info\x00" + p256dh + public, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\x00", 12)
    header = salt + RECORD_BYTES.to_bytes(4) + POINT_BYTES.to_bytes(1) + public
    return header + AESGCM(key).encrypt(nonce, text + LAST_RECORD, None)


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA-256 (RFC 5869) of at most 32 bytes: one block."""
    pseudo_random_key = hmac.digest(salt, secret, sha256)
    return hmac.digest(pseudo_random_key, info + b"\x01", sha256)[:length]
