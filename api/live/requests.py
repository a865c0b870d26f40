"""The requests that open a stream. Unusual ones are refused by Flask, which never opens one."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

from api.http.auth import QUERY_NAMES, SCHEME
from api.http.observing import choose_request_id
from api.http.parsing import MAX_HEADER_BYTES
from api.live.events import LastSeen
from api.loop.messages import Scope
from api.services.errors import LiveTicketRefusedError, NotSignedInError
from api.services.live_tickets import Ticket, read_ticket
from api.services.tokens import Token, TokenKeys

PATH = "/v1/live"

PARAMETERS = frozenset({"ticket", "last_event_id"})
"""Parameters of the query. Flask refuses others."""

MOST_PARAMETERS = 16
"""More are left to Flask."""


class UnexpectedBodyError(Exception):
    """The request announces a body."""


class LiveRequest(NamedTuple):
    """A parsed request. The ticket, or the token's session, is not verified yet."""

    credentials: Ticket | Token | None
    """None for a token that our keys have not signed."""
    last_seen: LastSeen | None


def request_id_of(scope: Scope) -> str:
    """The id of the request: the one that it has, or a new one."""
    return choose_request_id(next(_headers(scope, b"x-request-id"), ""))


def is_for_flask(scope: Scope) -> bool:
    """Whether Flask refuses the request: for a token or an unknown name in its query, or its size.

    Flask's view must not get any other request: it would answer that there are no streams.
    """
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    names = {name for name, _ in _query(scope)}
    return size > MAX_HEADER_BYTES or bool(names & QUERY_NAMES) or bool(names - PARAMETERS)


def parse_request(scope: Scope, keys: TokenKeys) -> LiveRequest:
    """The request. A ticket goes before a token.

    Raises LiveTicketRefusedError for text that is no ticket, NotSignedInError without any token,
    UnexpectedBodyError.
    """
    if _announces_body(scope):
        raise UnexpectedBodyError
    query = dict(_query(scope))
    header = next(_headers(scope, b"last-event-id"), "")
    last_seen = LastSeen.read(query.get("last_event_id") or header)
    if "ticket" in query:
        return LiveRequest(_ticket(query["ticket"]), last_seen)
    return LiveRequest(_token(next(_headers(scope, b"authorization"), ""), keys), last_seen)


def _announces_body(scope: Scope) -> bool:
    lengths = _headers(scope, b"content-length")
    chunked = any(_headers(scope, b"transfer-encoding"))
    return chunked or any(length.strip("0") for length in lengths)


def _ticket(text: str) -> Ticket:
    ticket = read_ticket(text)
    if ticket is None:
        raise LiveTicketRefusedError
    return ticket


def _token(authorization: str, keys: TokenKeys) -> Token | None:
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != SCHEME:
        raise NotSignedInError
    return keys.read(text.strip())


def _query(scope: Scope) -> list[tuple[str, str]]:
    """Names and values. Too many of them are one name that nobody knows."""
    try:
        text = scope["query_string"].decode("latin-1")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return [("", "")]


def _headers(scope: Scope, name: bytes) -> Iterator[str]:
    """The values of a header."""
    return (value.decode("latin-1") for other, value in scope["headers"] if other == name)
