"""Requests that the fast feed reads, and clients behind proxies."""

import random
import secrets
from typing import Any

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from api.fast_feed.requests import DEFAULT_LIMIT, PATH, ForgedTokenError, parse_request
from api.http import parsing
from api.http.cursors import Cursors
from api.http.paging import PageQuery
from api.loop.messages import client_of, environ_of
from api.services.tokens import new_token
from feed.pages import Cursor
from tests.support.tokens import TOKENS

TOKEN = new_token(user_id=7, session_id=8)
CURSORS = Cursors("a secret of the tests")


def scope(query: str = "", *headers: tuple[str, str], token: str = TOKENS.sign(TOKEN)) -> Any:
    pairs = [("authorization", f"Bearer {token}"), *headers]
    return {
        "method": "GET",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": query.encode(),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("10.0.0.1", 5),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
    }


def test_a_request_without_a_query_is_the_first_page() -> None:
    request = parse_request(scope(), CURSORS, TOKENS)
    assert request
    assert (request.token, request.cursor, request.before) == (TOKEN, None, None)
    assert request.if_none_match == b""


def test_the_default_limit_is_that_of_the_view() -> None:
    request = parse_request(scope(), CURSORS, TOKENS)
    assert request
    assert request.limit == DEFAULT_LIMIT == PageQuery().load({})["limit"]


@pytest.mark.parametrize("limit", range(1, 101))
def test_every_valid_limit_is_read(limit: int) -> None:
    request = parse_request(scope(f"limit={limit}"), CURSORS, TOKENS)
    assert request
    assert request.limit == limit


@pytest.mark.parametrize("direction", ["before", "after"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_cursor_is_read_in_any_order(direction: Any, order: int) -> None:
    cursor = Cursor(direction, 99)
    parts = ["limit=7", f"cursor={CURSORS.sign(PATH, 7, cursor)}"][::order]
    request = parse_request(scope("&".join(parts)), CURSORS, TOKENS)
    assert request
    assert (request.cursor, request.limit) == (cursor, 7)
    assert request.before == (99 if direction == "before" else None)


@pytest.mark.parametrize(("path", "user_id"), [(PATH, 6), ("/v1/me/followers", 7)])
def test_a_cursor_for_another_user_or_path_is_not_read(path: str, user_id: int) -> None:
    text = CURSORS.sign(path, user_id, Cursor("before", 99))
    assert parse_request(scope(f"cursor={text}"), CURSORS, TOKENS) is None


@pytest.mark.parametrize("token", ["", "pf_x", TOKENS.sign(TOKEN)[:-1] + "?"], ids=range(3))
def test_a_token_of_no_key_is_known_before_a_store_is_asked(token: str) -> None:
    with pytest.raises(ForgedTokenError) as error:
        parse_request(scope("", ("x-request-id", "mine"), token=token), CURSORS, TOKENS)
    assert error.value.request_id == "mine"


def test_headers_up_to_the_limit_of_the_view_are_read() -> None:
    size = sum(len(name) + len(value) for name, value in scope()["headers"])
    rest = 16 * 1024 - size - len("x-long")
    assert parse_request(scope("", ("x-long", "x" * rest)), CURSORS, TOKENS)
    assert parse_request(scope("", ("x-long", "x" * (rest + 1))), CURSORS, TOKENS) is None


def test_the_clients_address_is_from_the_first_trusted_proxy() -> None:
    forwarded = scope("", ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2"))
    assert client_of(forwarded, 0) == "10.0.0.1"
    assert client_of(forwarded, 2) == "1.2.3.4"
    assert client_of(forwarded, 4) == "10.0.0.1"
    assert client_of({**forwarded, "client": None}, 0) == ""
    twice = scope("", ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "10.0.0.2"))
    assert client_of(twice, 2) == "1.2.3.4"


def test_a_long_list_of_addresses_is_read_and_not_remembered() -> None:
    remembered = parsing._parse_forwarded.cache_info().currsize
    for number in range(50):
        forwarded = scope("", ("x-forwarded-for", f"{'6.6.6.6,' * 40}{number},10.0.0.2"))
        assert client_of(forwarded, 2) == str(number)
    assert parsing._parse_forwarded.cache_info().currsize == remembered


def test_the_clients_address_is_the_one_that_flask_sees() -> None:
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    pieces = ["1.2.3.4", "2001:db8::1", " ", ",", ", ", '"', "\\", "\t", "unknown", "é", ""]
    for _ in range(3_000):
        values = [
            "".join(chance.choices(pieces, k=chance.randrange(6)))
            for _ in range(chance.randrange(3))
        ]
        request = scope("", *[("x-forwarded-for", value) for value in values])
        trusted = chance.randrange(4)
        assert client_of(request, trusted) == flasks_client(request, trusted), (values, trusted)


def flasks_client(request: Any, trusted: int) -> str:
    seen: list[str] = []

    def app(environ: dict[str, Any], _start: Any) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        return []

    wrapped = ProxyFix(app, x_for=trusted, x_proto=trusted)
    wrapped(environ_of(request, b""), lambda *_: None)  # type: ignore[arg-type]
    return seen[0]
