"""The adapter's environ against that of a WSGI server, for the same raw requests."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.granian import Server, asgi_command, free_port, serving, wsgi_command
from tests.support.raw_http import send_raw

HOST = b"Host: photofeed\r\n"
NOT_COMPARED = {"SERVER_PORT", "GATEWAY_INTERFACE", "SERVER_SOFTWARE"}
"""The ports differ. The other two say that the server is granian."""

REQUESTS = {
    "a plain request": b"GET /v1/me/feed?limit=20 HTTP/1.1\r\n" + HOST + b"\r\n",
    "escapes in the path": b"GET /a%20b/%C3%A9/%2F/%zz/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "UTF-8 in the path": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "invalid UTF-8 in the path": b"GET /%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n",
    "escapes in the query": b"GET /?q=%C3%A9+1&b&&=%zz?x HTTP/1.1\r\n" + HOST + b"\r\n",
    "an empty query": b"GET /? HTTP/1.1\r\n" + HOST + b"\r\n",
    "two slashes": b"GET //v1/me HTTP/1.1\r\n" + HOST + b"\r\n",
    "dots": b"GET /v1/../me/./x HTTP/1.1\r\n" + HOST + b"\r\n",
    "an absolute target": b"GET http://other:99/v1/me?x=1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /a?b#c HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "an unknown method": b"BREW /pot HTTP/1.1\r\n" + HOST + b"\r\n",
    "repeated headers": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\r\nX-B: 2\r\nx-a: 3, 4\r\n\r\n",
    "an empty header": b"GET / HTTP/1.1\r\n" + HOST + b"X-A:\r\nAuthorization: \r\n\r\n",
    "a length": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: a/b\r\nContent-Length: 3\r\n\r\nabc",
    "a length of 0": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
    "a length twice": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "a body in chunks": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
    ),
    "chunks and a length": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n"
        b"3\r\nabc\r\n0\r\n\r\n"
    ),
    "a body of GET": b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nab",
}

REFUSED = {
    "two lengths": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    ),
    "a signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +3\r\n\r\nabc",
    "a folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n 2\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\n" + HOST + b"X-A : 1\r\n\r\n",
    "garbage": b"GARBAGE\r\n\r\n",
    "an unknown coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ),
}


@pytest.fixture(scope="module")
def asgi() -> Iterator[Server]:
    port = free_port()
    with serving(asgi_command("tests.support.loop_apps:app", port), port) as server:
        yield server


@pytest.fixture(scope="module")
def wsgi() -> Iterator[Server]:
    port = free_port()
    with serving(wsgi_command("tests.support.loop_apps:echo", port), port) as server:
        yield server


def seen(server: Server, request: bytes) -> dict[str, Any]:
    """What the application sees of the request."""
    response = send_raw(server.url, request)
    assert response.status == 200, response
    environ: dict[str, Any] = json.loads(response.body)
    return {name: value for name, value in environ.items() if name not in NOT_COMPARED}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_environ_is_that_of_a_wsgi_server(asgi: Server, wsgi: Server, name: str) -> None:
    assert seen(asgi, REQUESTS[name]) == seen(wsgi, REQUESTS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_request_is_400_on_both(asgi: Server, wsgi: Server, name: str) -> None:
    assert send_raw(asgi.url, REFUSED[name]).status == 400
    assert send_raw(wsgi.url, REFUSED[name]).status == 400


def test_an_old_client_gets_the_protocol_s_full_name(asgi: Server) -> None:
    environ = seen(asgi, b"GET / HTTP/1.0\r\n\r\n")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_cookies_are_joined_as_cookies(asgi: Server) -> None:
    request = b"GET / HTTP/1.1\r\n" + HOST + b"Cookie: a=1\r\nCookie: b=2\r\n\r\n"
    assert seen(asgi, request)["HTTP_COOKIE"] == "a=1; b=2"


def test_a_header_with_an_underscore_is_left_out(asgi: Server) -> None:
    request = b"GET / HTTP/1.1\r\n" + HOST + b"X_Forwarded_For: 6.6.6.6\r\nX-A: 1\r\n\r\n"
    environ = seen(asgi, request)
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["HTTP_X_A"] == "1"


def test_the_bytes_of_a_header_are_latin_1(asgi: Server) -> None:
    request = b"GET / HTTP/1.1\r\n" + HOST + b"X-A: \xc3\xa9\r\n\r\n"
    assert seen(asgi, request)["HTTP_X_A"].encode("latin-1") == b"\xc3\xa9"
