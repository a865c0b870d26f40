"""Clients that do not read, or send without an end, over real sockets."""

from collections.abc import Iterator, Sequence

import psutil
import pytest
import requests

from api.live import front
from tests.support.eventually import eventually
from tests.support.granian import Server, asgi_command, free_port, serving
from tests.support.live import SECONDS
from tests.support.raw_http import connected

MEGABYTE = 1_000_000
CLIENTS = 20
CHUNK = b"1\r\nx\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    port = free_port()
    with serving(asgi_command("tests.support.live_apps:app", port), port) as server:
        eventually(lambda: reasons(server) is not None)
        yield server


def reasons(server: Server) -> list[str] | None:
    try:
        return requests.get(f"{server.url}/", timeout=5).text.split()
    except requests.RequestException:
        return None


def request_of(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: photofeed", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode()


def test_a_client_that_reads_nothing_is_dropped_and_occupies_no_more_memory(server: Server) -> None:
    [worker] = server.worker_pids()
    before = psutil.Process(worker).memory_info().rss
    with connected(server.url, seconds=40) as first:
        others = [connected(server.url, seconds=40) for _ in range(CLIENTS - 1)]
        clients = [first, *(other.__enter__() for other in others)]
        for client in clients:
            client.send(request_of("/endless"))
        eventually(lambda: (reasons(server) or []).count("slow") == CLIENTS)
        grown = psutil.Process(worker).memory_info().rss - before
        assert grown < CLIENTS * MEGABYTE, grown
        for client in clients:
            assert not client.read_until_closed().endswith(b"\r\n0\r\n\r\n"), "it was cut off"
        for other in others:
            other.__exit__(None, None, None)


def test_a_stream_ends_after_a_number_of_bytes_whether_the_client_reads_or_not(
    server: Server,
) -> None:
    with connected(server.url) as client:
        client.send(request_of("/bounded"))
        eventually(lambda: "renewed" in (reasons(server) or []))
        data = client.read_until_closed()
    assert data.endswith(b"\r\n0\r\n\r\n")
    assert front.MOST_BYTES < len(data) < 2 * front.MOST_BYTES


def test_a_client_that_goes_is_noticed(server: Server) -> None:
    with connected(server.url) as client:
        client.send(request_of("/endless"))
        client.read_until(b"xxx")
    eventually(lambda: "gone" in (reasons(server) or []))


def test_a_stream_ends_when_its_client_sends_a_body(server: Server) -> None:
    before = (reasons(server) or []).count("gone")
    with connected(server.url) as client:
        client.send(request_of("/silent", "Transfer-Encoding: chunked") + CHUNK)
        client.read_until(b"open")
        client.send(CHUNK)
        eventually(lambda: (reasons(server) or []).count("gone") > before, seconds=SECONDS)
        assert not client.read_until_closed().endswith(b"\r\n0\r\n\r\n"), "it was cut off"


@pytest.mark.parametrize("headers", [(), ("Content-Length: 0",)])
def test_a_stream_without_a_body_stays_open(server: Server, headers: Sequence[str]) -> None:
    before = (reasons(server) or []).count("gone")
    with connected(server.url) as client:
        client.send(request_of("/silent", *headers))
        client.read_until(b"open")
        assert (reasons(server) or []).count("gone") == before
    eventually(lambda: (reasons(server) or []).count("gone") == before + 1, seconds=SECONDS)
