"""The requests that the fast feed answers: the usual ones. Flask answers the others."""

import re
from typing import NamedTuple

from api.http.auth import SCHEME
from api.http.cursors import Cursors, InvalidCursorError
from api.http.observing import choose_request_id
from api.http.parsing import MAX_HEADER_BYTES
from api.loop.messages import Scope
from api.services.tokens import Token, TokenKeys
from feed.pages import Cursor

PATH = "/v1/me/feed"

DEFAULT_LIMIT = 20
"""The same as in api/http/paging.py."""

_LIMIT, _CURSOR = re.compile(r"[1-9][0-9]?|100"), re.compile(r"[A-Za-z0-9_-]+")
"""Limit and cursor without leading zeros, escapes or other variants."""

_TAG = re.compile(rb'"[^"]*"')
"""An If-None-Match with one strong tag."""

_UNUSUAL = frozenset({b"content-length", b"transfer-encoding", b"if-match"})
"""Headers of a body, or that change the meaning of the request."""

_ONCE = frozenset({b"authorization", b"if-none-match", b"x-request-id"})
"""Headers that the fast feed reads. A request that has one twice is unusual."""


class ForgedTokenError(Exception):
    """The token is not one that our keys have signed. The request is usual otherwise."""

    def __init__(self, request_id: str) -> None:
        super().__init__()
        self.request_id = request_id


class FeedRequest(NamedTuple):
    """A parsed request."""

    token: Token
    """Its session is not verified yet."""
    cursor: Cursor | None
    limit: int
    request_id: str
    if_none_match: bytes

    @property
    def before(self) -> int | None:
        """The id that the page begins below; None for the first page and for pages above a cursor.

        A page above a cursor is read from the newest entries, as the first page is.
        """
        cursor = self.cursor
        return cursor.id if cursor and cursor.direction == "before" else None


def parse_request(scope: Scope, cursors: Cursors, keys: TokenKeys) -> FeedRequest | None:
    """The request; None if it is unusual or invalid. Raises ForgedTokenError."""
    query = _parse_query(scope["query_string"].decode("latin-1"))
    headers = _usual_headers(scope["headers"])
    if query is None or headers is None:
        return None
    request_id = choose_request_id(headers.get(b"x-request-id", b"").decode("latin-1"))
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != SCHEME:
        return None
    token = keys.read(text.strip())
    if token is None:
        raise ForgedTokenError(request_id)
    limit, text = query
    try:
        cursor = cursors.read(PATH, token.user_id, text) if text else None
    except InvalidCursorError:
        return None
    return FeedRequest(token, cursor, limit, request_id, headers.get(b"if-none-match", b""))


def _usual_headers(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
    """The headers that are read; None if one makes the request unusual."""
    size = 0
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        size += len(name) + len(value)
        if name in _ONCE:
            if name in found:
                return None
            found[name] = value
        elif name in _UNUSUAL:
            return None
    tag = found.get(b"if-none-match")
    if size > MAX_HEADER_BYTES or (tag is not None and not _TAG.fullmatch(tag)):
        return None
    return found


def _parse_query(text: str) -> tuple[int, str] | None:
    """Limit and cursor, "" for the first page; None for any other parameter or variant."""
    limit, cursor = 0, ""
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        if name == "limit" and not limit and _LIMIT.fullmatch(value):
            limit = int(value)
        elif name == "cursor" and not cursor and _CURSOR.fullmatch(value):
            cursor = value
        else:
            return None
    return limit or DEFAULT_LIMIT, cursor
