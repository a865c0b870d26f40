"""Session tokens: `pf_` and the base64url of user id, session id and 32 random bytes."""

import base64
import binascii
import hashlib
import secrets
import struct
from typing import NamedTuple

from graph.ids import MAX_ID

PREFIX = "pf_"
"""It identifies a token to people and to secret scanners."""

SECRET_BYTES = 32

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the alphabet of base64url to that of base64."""

_LAYOUT = struct.Struct(f">QQ{SECRET_BYTES}s")


class Token(NamedTuple):
    """The ids of a user and of a session, and the secret that proves them."""

    user_id: int
    session_id: int
    secret: bytes

    @property
    def secret_sha256(self) -> str:
        """The hash of the secret, in hex. Only this is stored."""
        return hashlib.sha256(self.secret).hexdigest()

    def __str__(self) -> str:
        """The text for the client. It contains the secret: never log it."""
        packed = _LAYOUT.pack(self.user_id, self.session_id, self.secret)
        return PREFIX + base64.urlsafe_b64encode(packed).decode()

    def __repr__(self) -> str:
        """The token without its secret, for tracebacks and logs."""
        return f"Token(user_id={self.user_id}, session_id={self.session_id})"


def new_token(*, user_id: int, session_id: int) -> Token:
    """A token with a new random secret."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return Token(user_id=user_id, session_id=session_id, secret=secret)


def read_token(text: str) -> Token | None:
    """The token in the text; None if the text is not a token."""
    if not text.startswith(PREFIX):
        return None
    try:
        standard = text[len(PREFIX) :].encode("ascii").translate(_TO_STANDARD)
        packed = binascii.a2b_base64(standard, strict_mode=True)  # two thirds of base64's time
        user_id, session_id, secret = _LAYOUT.unpack(packed)
    except (UnicodeEncodeError, binascii.Error, struct.error):
        return None
    if max(user_id, session_id) > MAX_ID:
        return None
    return Token(user_id=user_id, session_id=session_id, secret=secret)
