"""Session tokens: `pf_` and the base64url of user id, session id, 32 random bytes and a MAC.

The MAC proves that a process of ours has made the token, so a forged one costs no store anything.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from graph.ids import MAX_ID

PREFIX = "pf_"
"""It identifies a token to people and to secret scanners."""

SECRET_BYTES = 32

MAC_BYTES = 9
"""72 bits: a guess is right once in 10^21. With them a token has 57 bytes, and no padding."""

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the alphabet of base64url to that of base64."""

_LAYOUT = struct.Struct(f">QQ{SECRET_BYTES}s")
_LENGTHS = (
    len(PREFIX) + (_LAYOUT.size + MAC_BYTES) * 4 // 3,
    len(PREFIX) + _LAYOUT.size * 4 // 3,
)
"""Characters of a token, and of one without a MAC. So each has one spelling."""


class Token(NamedTuple):
    """The ids of a user and of a session, and the secret that proves them."""

    user_id: int
    session_id: int
    secret: bytes
    is_old: bool = False
    """Whether it was sent without a MAC: its ids may be made up."""

    @property
    def secret_sha256(self) -> str:
        """The hash of the secret, in hex. Only this is stored."""
        return hashlib.sha256(self.secret).hexdigest()

    def __str__(self) -> str:
        """The token without its secret. `TokenKeys.sign` makes the text for the client."""
        return repr(self)

    def __repr__(self) -> str:
        """The token without its secret, for tracebacks and logs."""
        return f"Token(user_id={self.user_id}, session_id={self.session_id})"


class TokenKeys:
    """Signs and reads tokens. The first key signs; all of them verify."""

    def __init__(self, keys: Sequence[str], *, old_until: datetime | None = None) -> None:
        self._keys = [_Key(key) for key in keys]
        self._old_until = old_until.timestamp() if old_until else 0.0

    def sign(self, token: Token) -> str:
        """The text for the client. It contains the secret: never log it."""
        packed = _LAYOUT.pack(token.user_id, token.session_id, token.secret)
        return PREFIX + base64.urlsafe_b64encode(packed + self._keys[0].mac(packed)).decode()

    def read(self, text: str) -> Token | None:
        """The token in the text; None if no key has signed it.

        Until `old_until` also a token of older versions, which has no MAC.
        """
        signed = _decode(text)
        packed, mac = signed[: _LAYOUT.size], signed[_LAYOUT.size :]
        is_old = len(signed) == _LAYOUT.size and time.time() < self._old_until
        if not is_old and not self._verify(packed, mac):
            return None
        user_id, session_id, secret = _LAYOUT.unpack(packed)
        if user_id > MAX_ID or session_id > MAX_ID:
            return None
        return Token(user_id, session_id, secret, is_old)

    def _verify(self, packed: bytes, mac: bytes) -> bool:
        """Whether a key has made the MAC; a MAC of another length is of none."""
        for key in self._keys:  # noqa: SIM110 - a generator would double the time
            if hmac.compare_digest(key.mac(packed), mac):
                return True
        return False


class _Key:
    """HMAC-SHA-256 with a key: its two hashes have read the key once, not for each token."""

    def __init__(self, secret: str) -> None:
        # A key for tokens alone, so that the secret can be used for other signatures too
        key = hashlib.sha256(b"photofeed token\0" + secret.encode()).digest().ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def mac(self, packed: bytes) -> bytes:
        """The same as `hmac.digest`, cut to MAC_BYTES, in half of its time."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(packed)
        outer.update(inner.digest())
        return outer.digest()[:MAC_BYTES]


def new_token(*, user_id: int, session_id: int) -> Token:
    """A token with a new random secret."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return Token(user_id=user_id, session_id=session_id, secret=secret)


def _decode(text: str) -> bytes:
    """The bytes of the text after the prefix; empty if it is not that of a token."""
    if len(text) not in _LENGTHS or not text.startswith(PREFIX):
        return b""
    try:
        standard = text[len(PREFIX) :].encode("ascii").translate(_TO_STANDARD)
        return binascii.a2b_base64(standard, strict_mode=True)  # two thirds of base64's time
    except (UnicodeEncodeError, binascii.Error):
        return b""
