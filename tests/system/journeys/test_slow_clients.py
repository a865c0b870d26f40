"""Clients that are slow or gone hold nobody else up (case 42)."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import requests

from tests.support.running import Running

CLIENTS = 100
"""Far more than all threads of all API processes together."""

PATIENCE_SECONDS = 20
"""For a busy machine; a worker that is held would be held for good."""


# Case 42
def test_clients_that_send_slowly_or_never_read_hold_no_worker(running: Running) -> None:
    host, port = urlsplit(running.url).hostname, urlsplit(running.url).port
    with ExitStack() as opened:
        for number in range(CLIENTS):
            client = opened.enter_context(socket.create_connection((host, port), timeout=5))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            whole = b"GET /openapi.json HTTP/1.1\r\nHost: photofeed\r\n\r\n"
            client.sendall(whole if number % 2 else whole[:30])
        for _ in range(20):
            answer = requests.get(f"{running.url}/v1/me/feed", timeout=PATIENCE_SECONDS)
            assert answer.status_code == 401
