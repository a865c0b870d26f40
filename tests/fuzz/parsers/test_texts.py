"""Properties of what reads tokens, cursors, headers and cached bytes: a value, or one refusal."""

from typing import Any

import hiredis
from hypothesis import example, given
from hypothesis import strategies as st

from api.fast_feed import requests as feed_requests
from api.http.cursors import Cursors, InvalidCursorError
from api.http.observing import REQUEST_ID
from api.live import requests as live_requests
from api.live.events import LastSeen
from api.schemas import content_types
from api.services.errors import LiveTicketRefusedError, NotSignedInError
from api.services.live_tickets import read_ticket
from api.services.tokens import new_token
from feed.pages import Cursor
from graph.ids import MAX_ID
from storage.body_format import LONGEST_BYTES, decode, encode
from storage.redis.protocol import pack
from tests.support.asgi import scope_of
from tests.support.fuzzed import fuzzed
from tests.support.odd_requests import OddRequest, odd_requests
from tests.support.tokens import TOKENS

CURSORS = Cursors("a secret of the tests")
PATH = "/v1/me/feed"
TOKEN = TOKENS.sign(new_token(user_id=7, session_id=9))
CURSOR = CURSORS.sign(PATH, 7, Cursor("before", 1 << 40))


def near(text: str) -> st.SearchStrategy[str]:
    """Texts near a valid one, and others."""
    places = st.integers(0, len(text))
    pieces = st.text(max_size=4)
    return st.one_of(
        st.just(text),
        st.builds(lambda at, new: text[:at] + new + text[at:], places, pieces),
        st.builds(lambda at, new: text[:at] + new + text[at + len(new) :], places, pieces),
        places.map(lambda at: text[:at]),
        st.sampled_from(
            [text.upper(), text + "=", text + "==", text * 2, f" {text} ", text + "\n"]
        ),
        st.text(max_size=80),
    )


@fuzzed(500)
@given(text=near(CURSOR), viewer=st.sampled_from([7, 8]), path=st.sampled_from([PATH, "/v1/x"]))
def test_a_cursor_that_is_read_is_the_one_that_was_signed(
    text: str, viewer: int, path: str
) -> None:
    try:
        cursor = CURSORS.read(path, viewer, text)
    except InvalidCursorError:
        assert (text, viewer, path) != (CURSOR, 7, PATH)
    else:
        assert CURSORS.sign(path, viewer, cursor) == text
        assert (text, viewer, path) == (CURSOR, 7, PATH)


@fuzzed(500)
@given(text=near(TOKEN))
def test_a_token_that_is_read_is_the_one_that_was_signed(text: str) -> None:
    token = TOKENS.read(text)
    assert (token is None) == (text != TOKEN)


@fuzzed(300)
@given(text=near("376579555688627-376579555688628"))
@example("9" * 5000 + "-0")
def test_what_a_stream_has_last_sent_is_two_ids_or_nothing(text: str) -> None:
    seen = LastSeen.read(text)
    if seen is not None:
        assert all(0 <= number <= MAX_ID for number in (seen.post_id, seen.notification_id))


@fuzzed(300)
@given(text=near("AACJOTlIMBEAAK0bZaF_sM1t3cXbq0oGm8dVZ0xk"))
def test_a_ticket_is_read_or_not(text: str) -> None:
    read_ticket(text)


@fuzzed(300)
@given(text=near("image/jpeg; q=1"))
def test_a_content_type_has_one_spelling(text: str) -> None:
    spelling = content_types.normalize(text)
    assert content_types.normalize(spelling) == spelling


def _scope(odd: OddRequest, token: str) -> Any:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in odd.headers]
    if token:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    return scope_of("GET", odd.target, headers)


@fuzzed(400)
@given(odd=odd_requests(), token=st.sampled_from([TOKEN, ""]))
def test_a_request_of_the_feed_is_parsed_or_left_to_flask(odd: OddRequest, token: str) -> None:
    try:
        request = feed_requests.parse_request(_scope(odd, token), CURSORS, TOKENS)
    except feed_requests.ForgedTokenError:
        return
    if request is not None:
        assert request.token.user_id == 7
        assert 1 <= request.limit <= 100


@fuzzed(400)
@given(odd=odd_requests(), token=st.sampled_from([TOKEN, ""]))
def test_a_request_of_a_stream_is_parsed_or_refused(odd: OddRequest, token: str) -> None:
    scope = _scope(odd, token)
    assert REQUEST_ID.fullmatch(live_requests.request_id_of(scope))
    if live_requests.is_for_flask(scope):
        return
    try:
        request = live_requests.parse_request(scope, TOKENS)
    except (LiveTicketRefusedError, NotSignedInError, live_requests.UnexpectedBodyError):
        return
    assert request.credentials is None or request.credentials


@fuzzed(300)
@given(body=st.binary(min_size=1, max_size=2000), cut=st.integers(0, 60), flip=st.integers(0, 8000))
def test_a_value_of_the_cache_is_a_body_or_unreadable(body: bytes, cut: int, flip: int) -> None:
    value = bytearray(encode(body))
    assert decode(bytes(value)) == body or body[:1] == b"{"
    del value[len(value) - cut :]
    if value:
        value[flip // 8 % len(value)] ^= 1 << flip % 8
    damaged = decode(bytes(value))
    assert damaged is None or len(damaged) <= max(LONGEST_BYTES, len(value))


@fuzzed(300)
@given(data=st.binary(max_size=300))
def test_any_bytes_of_the_cache_are_a_body_or_unreadable(data: bytes) -> None:
    body = decode(data)
    assert body is None or len(body) <= LONGEST_BYTES


@fuzzed(300)
@given(parts=st.lists(st.one_of(st.binary(max_size=50), st.integers()), min_size=1, max_size=8))
def test_a_packed_command_is_read_as_the_parts_that_it_was_made_of(parts: list[Any]) -> None:
    reader = hiredis.Reader()
    reader.feed(pack(*parts))
    assert reader.gets() == [part if isinstance(part, bytes) else b"%d" % part for part in parts]
