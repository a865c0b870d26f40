"""The opaque cursors of the API: an id and a direction, signed for one route and one viewer."""

import base64
import binascii
import hashlib
import hmac
import struct

from feed.pages import Cursor, Direction

_DIRECTIONS: tuple[Direction, Direction] = ("before", "after")
_PAYLOAD = struct.Struct(">Bq")
"""A direction (0 before, 1 after) and an id of at most 53 bits and a sign."""

_SIGNATURE_BYTES = 16
"""128 bits are beyond guessing and keep the cursor at 34 characters."""


class InvalidCursorError(Exception):
    """The cursor is forged, damaged, or was made for another route or viewer."""


class Cursors:
    """Signs and reads cursors. An id out of a cursor says where to look and never what to show."""

    def __init__(self, secret: str) -> None:
        # A key of its own for this use, whatever else the secret may come to sign
        self._key = hashlib.sha256(b"photofeed cursor\0" + secret.encode()).digest()

    def sign(self, route: str, viewer_id: int, cursor: Cursor) -> str:
        """The cursor as text for this viewer to hand back on this route."""
        payload = _PAYLOAD.pack(_DIRECTIONS.index(cursor.direction), cursor.id)
        signed = payload + self._signature(route, viewer_id, payload)
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()

    def read(self, route: str, viewer_id: int, text: str) -> Cursor:
        """The cursor that `sign` made of this route and viewer. Raises InvalidCursorError."""
        signed = _decoded(text)
        payload, signature = signed[: _PAYLOAD.size], signed[_PAYLOAD.size :]
        if not hmac.compare_digest(signature, self._signature(route, viewer_id, payload)):
            raise InvalidCursorError
        direction, cursor_id = _PAYLOAD.unpack(payload)
        return Cursor(_DIRECTIONS[direction], cursor_id)

    def _signature(self, route: str, viewer_id: int, payload: bytes) -> bytes:
        message = b"%s\0%d\0%s" % (route.encode(), viewer_id, payload)
        # Keyed BLAKE2 is a MAC by itself, at a fifth of what an HMAC of SHA-256 costs here
        return hashlib.blake2b(message, key=self._key, digest_size=_SIGNATURE_BYTES).digest()


def _decoded(text: str) -> bytes:
    """The bytes of one exact spelling: unused bits and foreign characters are refused."""
    try:
        signed = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True
        )
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise InvalidCursorError from None
    if base64.urlsafe_b64encode(signed).rstrip(b"=") != text.encode("ascii"):
        raise InvalidCursorError
    return signed
