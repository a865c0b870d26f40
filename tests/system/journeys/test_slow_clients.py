"""Clients that send slowly or do not read (case 42)."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import requests

from bench.peers.slow_clients import slow_clients
from tests.support.supervised_stack import SupervisedStack

CLIENTS = 100
"""More than all threads of all API processes together."""

RESPONSE_SECONDS = 20
"""A margin for a busy machine. A request behind a blocked thread would never get a response."""


@pytest.fixture(scope="module")
def process_names() -> Sequence[str]:
    return ("api",)


# Case 42
def test_clients_that_send_slowly_or_do_not_read_block_no_thread(
    services: SupervisedStack,
) -> None:
    host, port = urlsplit(services.url).hostname, urlsplit(services.url).port
    with ExitStack() as opened:
        for number in range(CLIENTS):
            client = opened.enter_context(socket.create_connection((host, port), timeout=5))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            request = b"GET /openapi.json HTTP/1.1\r\nHost: photofeed\r\n\r\n"
            client.sendall(request if number % 2 else request[:30])
        for _ in range(20):
            response = requests.get(f"{services.url}/v1/me/feed", timeout=RESPONSE_SECONDS)
            assert response.status_code == 401


# Case 42
def test_feed_pages_are_answered_beside_slow_and_idle_clients(services: SupervisedStack) -> None:
    reader = services.sign_up("reader")
    reader.feed()
    with slow_clients(services.url):
        pages = [reader.on_new_connection().get("/v1/me/feed").status_code for _ in range(60)]
        others = [reader.get("/v1/me").status_code for _ in range(60)]
    assert pages == others == [200] * 60
