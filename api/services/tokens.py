"""The token of a sign-in: `pf_` and base64url of user id, session id and 32 random bytes."""

import base64
import binascii
import hashlib
import secrets
import struct
from dataclasses import dataclass

from graph.ids import MAX_ID

PREFIX = "pf_"
"""Tells people and secret scanners what they have found."""

SECRET_BYTES = 32

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_LAYOUT = struct.Struct(f">QQ{SECRET_BYTES}s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who claims to be signed in, by which session, and what they know to prove it."""

    user_id: int
    session_id: int
    secret: bytes

    @property
    def secret_sha256(self) -> str:
        """All that is ever stored of the secret, as hex."""
        return hashlib.sha256(self.secret).hexdigest()

    def __str__(self) -> str:
        """The text that the client sends. For the client alone: never in a log."""
        packed = _LAYOUT.pack(self.user_id, self.session_id, self.secret)
        return PREFIX + base64.urlsafe_b64encode(packed).decode()

    def __repr__(self) -> str:
        """Without the secret: this is what tracebacks and logs show."""
        return f"Token(user_id={self.user_id}, session_id={self.session_id})"


def new_token(*, user_id: int, session_id: int) -> Token:
    """A token with a secret of its own."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return Token(user_id=user_id, session_id=session_id, secret=secret)


def read_token(text: str) -> Token | None:
    """The token that the text spells, or None if it spells none."""
    if not text.startswith(PREFIX):
        return None
    try:
        spelled = text[len(PREFIX) :].encode("ascii").translate(_TO_STANDARD)
        packed = binascii.a2b_base64(spelled, strict_mode=True)  # as base64 does, a third sooner
        user_id, session_id, secret = _LAYOUT.unpack(packed)
    except (UnicodeEncodeError, binascii.Error, struct.error):
        return None
    if max(user_id, session_id) > MAX_ID:
        return None
    return Token(user_id=user_id, session_id=session_id, secret=secret)
