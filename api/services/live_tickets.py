"""Tickets of live streams: `lt_` and the base64url of the user's id and 23 random bytes.

A browser's EventSource sends no headers, so a page gets a ticket by a request with its token, and
puts the ticket into the URL of the stream. There it may end in a log: it opens one stream, once.
"""

import base64
import binascii
import re
import secrets
import time
from datetime import UTC, datetime
from typing import NamedTuple

from api.services.sessions import Viewer
from graph.ids import MAX_ID
from storage import Storage
from storage.live_tickets import LIFE_SECONDS

PREFIX = "lt_"
"""It tells people and scanners of secrets what it is."""

ID_BYTES, SECRET_BYTES = 7, 23
"""30 bytes are 40 characters, without padding."""

_TEXT = re.compile(r"lt_[A-Za-z0-9_-]{40}", re.ASCII)


class Ticket(NamedTuple):
    """The user's id, which finds the ticket's key, and the secret that is in it."""

    user_id: int
    secret: bytes

    def __str__(self) -> str:
        """The text for the client. It contains the secret: never log it."""
        packed = self.user_id.to_bytes(ID_BYTES, "big") + self.secret
        return PREFIX + base64.urlsafe_b64encode(packed).decode()

    def __repr__(self) -> str:
        """The ticket without its secret, for tracebacks and logs."""
        return f"Ticket(user_id={self.user_id})"


class NewTicket(NamedTuple):
    """A ticket's text and its expiry."""

    ticket: str
    expires_at: datetime


def issue(storage: Storage, viewer: Viewer) -> NewTicket:
    """A new ticket of the viewer's session. Raises StorageUnavailableError."""
    ticket = Ticket(viewer.user_id, secrets.token_bytes(SECRET_BYTES))
    expires_at = datetime.fromtimestamp(int(time.time()) + LIFE_SECONDS, UTC)
    storage.live_tickets.issue(viewer.user_id, viewer.session_id, ticket.secret)
    return NewTicket(str(ticket), expires_at)


def read_ticket(text: str) -> Ticket | None:
    """The ticket in the text; None if the text is none."""
    if not _TEXT.fullmatch(text):
        return None
    try:
        packed = base64.urlsafe_b64decode(text[len(PREFIX) :])
    except binascii.Error:
        return None
    user_id = int.from_bytes(packed[:ID_BYTES], "big")
    return Ticket(user_id, packed[ID_BYTES:]) if user_id <= MAX_ID else None
