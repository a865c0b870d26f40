"""Bodies in many pieces, over a real socket."""

import json
from collections.abc import Iterator

import pytest

from api.http.parsing import MAX_BODY_BYTES
from api.loop.messages import MOST_PIECES
from tests.support.granian import Server, asgi_command, free_port, serving
from tests.support.raw_http import connected

REQUEST = b"POST / HTTP/1.1\r\nHost: photofeed\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE, END = b"1\r\nx\r\n", b"0\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    port = free_port()
    with serving(asgi_command("tests.support.loop_apps:app", port), port) as server:
        yield server


def test_a_body_in_too_many_pieces_is_400_and_closes_the_connection(server: Server) -> None:
    with connected(server.url) as client:
        client.send(REQUEST + PIECE * (MAX_BODY_BYTES - 1) + END)
        response = client.read()
        assert (response.status, json.loads(response.body)["code"]) == (400, "bad-request")
        assert response.headers["connection"] == "close"
        assert client.is_closed()


def test_a_body_in_many_pieces_arrives_whole(server: Server) -> None:
    pieces = MOST_PIECES - 1  # the end can be a piece of its own
    with connected(server.url) as client:
        client.send(REQUEST + PIECE * pieces + END)
        assert json.loads(client.read().body)["body"] == "x" * pieces
