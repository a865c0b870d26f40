"""Requests that no library sends, to the API as `make up` runs it and to wsgi.py (case 42)."""

import socket
import struct
from collections.abc import Iterator, Sequence

import pytest

from tests.support.eventually import eventually
from tests.support.granian import Server, free_port, serving, wsgi_command
from tests.support.people import Person
from tests.support.raw_http import connected, send_raw
from tests.support.supervised_stack import SupervisedStack

FEED = "/v1/me/feed"
HUGE_BODY = 300_000
"""Above the limit, and above what a server reads of a body that nobody wants."""


@pytest.fixture(scope="module")
def process_names() -> Sequence[str]:
    return ("api",)


@pytest.fixture(scope="module")
def by_view(services: SupervisedStack) -> Iterator[Server]:
    """The whole API by wsgi.py, on the same stores."""
    port = free_port()
    with serving(wsgi_command("wsgi:app", port), port, services.env) as server:
        yield server


@pytest.fixture(scope="module")
def reader(services: SupervisedStack) -> Person:
    """A user whose feed the loop answers."""
    reader = services.sign_up("raw")
    reader.feed()
    return reader


def raw(method: str, target: str, *headers: str, body: bytes = b"", protocol: str = "1.1") -> bytes:
    lines = [f"{method} {target} HTTP/{protocol}", "Host: photofeed", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


JSON = "Content-Type: application/json"
CHUNKS = "Transfer-Encoding: chunked"
EXPECT = "Expect: 100-continue"
PATCH = b'{"name": "Raw"}'


def requests_of(reader: Person) -> dict[str, bytes]:
    """The requests of the table. Each is one request and its response."""
    me = f"Authorization: Bearer {reader.token}"
    return {
        "page": raw("GET", FEED, me),
        "page of an old client": raw("GET", FEED, me, protocol="1.0"),
        "HEAD page": raw("HEAD", FEED, me),
        "HEAD page without a token": raw("HEAD", FEED),
        "HEAD me": raw("HEAD", "/v1/me", me),
        "HEAD probe": raw("HEAD", "/livez"),
        "HEAD document": raw("HEAD", "/openapi.json"),
        "HEAD unknown": raw("HEAD", "/nothing"),
        "OPTIONS page": raw("OPTIONS", FEED, me),
        "OPTIONS *": raw("OPTIONS", "*"),
        "POST page without a body": raw("POST", FEED, me),
        "POST page, no token": raw("POST", FEED, JSON, "Content-Length: 2", body=b"{}"),
        "PUT page": raw("PUT", FEED, me),
        "DELETE page": raw("DELETE", FEED, me),
        "BREW page": raw("BREW", FEED, me),
        "get page": raw("get", FEED, me),
        "TRACE page": raw("TRACE", FEED, me),
        "two slashes": raw("GET", "/" + FEED, me),
        "slash at the end": raw("GET", FEED + "/", me),
        "escaped slash": raw("GET", "/v1/me%2Ffeed", me),
        "escaped letters": raw("GET", "/v1/me/%66eed", me),
        "escaped escape": raw("GET", "/v1/me/%2566eed", me),
        "dots": raw("GET", "/v1/x/../me/feed", me),
        "NUL": raw("GET", FEED + "%00", me),
        "invalid UTF-8": raw("GET", "/v1/users/%ff%fe", me),
        "absolute": raw("GET", "http://other.example" + FEED, me),
        "absolute with a query": raw("GET", f"http://other.example{FEED}?limit=3", me),
        "empty query": raw("GET", FEED + "?", me),
        "empty parameters": raw("GET", FEED + "?&&", me),
        "limit": raw("GET", FEED + "?limit=3", me),
        "limit twice": raw("GET", FEED + "?limit=3&limit=4", me),
        "escaped limit": raw("GET", FEED + "?li%6Dit=3", me),
        "limit of 0": raw("GET", FEED + "?limit=0", me),
        "limit of 101": raw("GET", FEED + "?limit=101", me),
        "no limit": raw("GET", FEED + "?limit=", me),
        "unknown parameter": raw("GET", FEED + "?page=2", me),
        "forged cursor": raw("GET", FEED + "?cursor=abc", me),
        "empty cursor": raw("GET", FEED + "?cursor=", me),
        "token in the query": raw("GET", FEED + "?access_token=abc"),
        "query in latin-1": raw("GET", FEED + "?q=\u00e9", me),
        "no token": raw("GET", FEED),
        "empty token": raw("GET", FEED, "Authorization:"),
        "scheme alone": raw("GET", FEED, "Authorization: Bearer"),
        "other scheme": raw("GET", FEED, "Authorization: Basic YTpi"),
        "scheme in capitals": raw("GET", FEED, f"Authorization: BEARER {reader.token}"),
        "two spaces": raw("GET", FEED, f"Authorization: Bearer  {reader.token}"),
        "token in latin-1": raw("GET", FEED, f"Authorization: Bearer {reader.token}\u00e9"),
        "two tokens": raw("GET", FEED, me, me),
        "a wrong token first": raw("GET", FEED, "Authorization: Bearer x", me),
        "a wrong token last": raw("GET", FEED, me, "Authorization: Bearer x"),
        "header with an underscore": raw("GET", FEED, "X_A: 1", me),
        "two tags": raw("GET", FEED, me, 'If-None-Match: "a"', 'If-None-Match: "b"'),
        "list of tags": raw("GET", FEED, me, 'If-None-Match: "a", W/"b", *'),
        "any tag": raw("GET", FEED, me, "If-None-Match: *"),
        "If-Match": raw("GET", FEED, me, 'If-Match: "a"'),
        "Range": raw("GET", FEED, me, "Range: bytes=0-3"),
        "Upgrade": raw("GET", FEED, me, "Connection: Upgrade", "Upgrade: websocket"),
        "headers of 17 kB": raw("GET", FEED, me, "X-A: " + "x" * 17_000),
        "headers of 60 kB": raw("GET", FEED, me, "X-A: " + "x" * 60_000),
        "99 headers": raw("GET", FEED, me, *[f"X-{n}: 1" for n in range(97)]),
        "200 headers": raw("GET", FEED, me, *[f"X-{n}: 1" for n in range(200)]),
        "target of 60 kB": raw("GET", f"{FEED}?limit={'1' * 60_000}", me),
        "page with a body": raw("GET", FEED, me, JSON, "Content-Length: 2", body=b"{}"),
        "page with a body of text": raw("GET", FEED, me, "Content-Length: 2", body=b"ab"),
        "page with chunks": raw("GET", FEED, me, JSON, CHUNKS, body=chunked(b"{}")),
        "HTTP/1.2": raw("GET", FEED, me, protocol="1.2"),
        "HTTP/2.0": raw("GET", FEED, me, protocol="2.0"),
        "no version": f"GET {FEED}\r\n\r\n".encode(),
        "no target": b"GET  HTTP/1.1\r\nHost: photofeed\r\n\r\n",
        "control character": raw("GET", FEED, me, "X-A: \x01"),
        "lines without CR": raw("GET", FEED, me).replace(b"\r\n", b"\n"),
        "patch": raw("PATCH", "/v1/me", me, JSON, f"Content-Length: {len(PATCH)}", body=PATCH),
        "patch in chunks": raw(
            "PATCH", "/v1/me", me, JSON, CHUNKS, body=chunked(PATCH[:3], PATCH[3:])
        ),
        "patch that expects": raw(
            "PATCH", "/v1/me", me, JSON, EXPECT, f"Content-Length: {len(PATCH)}", body=PATCH
        ),
        "other expectation": raw(
            "PATCH", "/v1/me", me, JSON, "Expect: tea", f"Content-Length: {len(PATCH)}", body=PATCH
        ),
        "chunks and a length": raw(
            "PATCH", "/v1/me", me, JSON, CHUNKS, "Content-Length: 3", body=chunked(PATCH)
        ),
        "coding of gzip": raw(
            "PATCH", "/v1/me", me, JSON, "Transfer-Encoding: gzip, chunked", body=chunked(PATCH)
        ),
        "chunk of no number": raw("PATCH", "/v1/me", me, JSON, CHUNKS, body=b"xyz\r\n\r\n"),
        "body without a length": raw("PATCH", "/v1/me", me, JSON, body=b""),
        "empty body": raw("PATCH", "/v1/me", me, JSON, "Content-Length: 0"),
        "text": raw("PATCH", "/v1/me", me, "Content-Length: 2", body=b"ab"),
        "large body": raw(
            "PATCH", "/v1/me", me, JSON, f"Content-Length: {HUGE_BODY}", body=b"x" * HUGE_BODY
        ),
        "large body announced": raw("PATCH", "/v1/me", me, JSON, EXPECT, "Content-Length: 999999"),
        "large chunks": raw(
            "PATCH", "/v1/me", me, JSON, CHUNKS, body=chunked(*[b"x" * 10_000] * 30)
        ),
        "large body, no token": raw(
            "PATCH", "/v1/me", JSON, f"Content-Length: {HUGE_BODY}", body=b"x" * HUGE_BODY
        ),
        "length beyond 64 bits": raw("PATCH", "/v1/me", me, JSON, f"Content-Length: {10**20}"),
        "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    }


NAMES = tuple(requests_of(Person(transport=None, id=1, username="", token="")))  # type: ignore[arg-type]

DIFFERENT = {"Upgrade": (200, 405)}
"""The status on the loop, and that of wsgi.py, where they differ. Flask routes websockets apart;
the loop ignores that a client would like to change the protocol, as HTTP allows."""

SERVER_ERRORS = {"TRACE page": 501}


def status_of(url: str, request: bytes) -> int:
    return send_raw(url, request).status


@pytest.mark.parametrize("name", NAMES)
def test_the_status_is_that_of_the_view(
    services: SupervisedStack, by_view: Server, reader: Person, name: str
) -> None:
    request = requests_of(reader)[name]
    here, there = status_of(services.url, request), status_of(by_view.url, request)
    assert (here, there) == DIFFERENT.get(name, (there, there))
    assert here < 500 or here == SERVER_ERRORS.get(name)


@pytest.mark.parametrize("target", [FEED, f"{FEED}?limit=3", f"http://other.example{FEED}"])
def test_a_page_is_that_of_the_view(
    services: SupervisedStack, by_view: Server, reader: Person, target: str
) -> None:
    request = raw("GET", target, f"Authorization: Bearer {reader.token}")
    assert send_raw(services.url, request).body == send_raw(by_view.url, request).body


def test_pipelined_requests_are_answered_in_their_order(
    services: SupervisedStack, reader: Person
) -> None:
    me = f"Authorization: Bearer {reader.token}"
    kinds = [
        (raw("GET", FEED, me), "GET", 200),
        (raw("GET", "/v1/me", me), "GET", 200),
        (raw("HEAD", FEED, me), "HEAD", 200),
        (raw("GET", "/nothing", me), "GET", 404),
        (raw("PATCH", "/v1/me", me, JSON, CHUNKS, body=chunked(PATCH)), "PATCH", 200),
        (raw("GET", FEED), "GET", 401),
    ]
    with connected(services.url) as connection:
        connection.send(b"".join(request for request, _, _ in kinds) * 5)
        for request, method, status in kinds * 5:
            response = connection.read(method)
            assert response.status == status, request
            assert bool(response.body) == (method != "HEAD")


def test_a_request_may_arrive_byte_by_byte(services: SupervisedStack, reader: Person) -> None:
    request = raw("GET", FEED, f"Authorization: Bearer {reader.token}")
    with connected(services.url) as connection:
        for byte in request:
            connection.send(bytes([byte]))
        assert connection.read().status == 200


def test_what_follows_a_request_is_400_and_closes_the_connection(
    services: SupervisedStack, reader: Person
) -> None:
    page = raw("GET", FEED, f"Authorization: Bearer {reader.token}")
    with connected(services.url) as connection:
        connection.send(page + b"\x00\x01garbage\r\n\r\n")
        assert connection.read().status == 200
        assert connection.read().status == 400
        assert connection.is_closed()


def test_a_client_waits_for_100_continue(services: SupervisedStack, reader: Person) -> None:
    me, length = f"Authorization: Bearer {reader.token}", f"Content-Length: {len(PATCH)}"
    with connected(services.url) as connection:
        connection.send(raw("PATCH", "/v1/me", me, JSON, EXPECT, length))
        assert connection.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(PATCH)
        assert connection.read().status == 200


def test_a_body_that_is_refused_is_not_asked_for(services: SupervisedStack, reader: Person) -> None:
    me = f"Authorization: Bearer {reader.token}"
    with connected(services.url) as connection:
        connection.send(raw("PATCH", "/v1/me", me, JSON, EXPECT, "Content-Length: 999999"))
        assert connection.read_until(b"\r\n").startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("end", ["closed", "half closed", "reset"])
def test_a_client_that_goes_away_in_its_body_disturbs_nobody(
    services: SupervisedStack, reader: Person, end: str
) -> None:
    me = f"Authorization: Bearer {reader.token}"
    for _ in range(20):
        with connected(services.url) as connection:
            connection.send(raw("PATCH", "/v1/me", me, JSON, "Content-Length: 99", body=b"{"))
            if end == "half closed":
                connection.socket.shutdown(socket.SHUT_WR)
                assert connection.read().status == 400
            if end == "reset":
                reset = struct.pack("ii", 1, 0)  # close at once, without waiting for the peer
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    assert reader.get("/v1/me").status_code == 200


def test_clients_that_go_away_while_flask_works_give_their_turns_back(
    services: SupervisedStack, reader: Person
) -> None:
    me = f"Authorization: Bearer {reader.token}"
    for _ in range(100):
        with connected(services.url) as connection:
            connection.send(raw("GET", "/v1/me/sessions", me))
    eventually(lambda: reader.get("/v1/me").status_code == 200)
    assert "Traceback" not in services.log("api")
