"""Requests that never end: the server ends them in bounded time, and serves others meanwhile."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tests.support.people import Person
from tests.system.wire.servers import STATUS, WireServer

EACH = 12
"""Connections of each kind: in all more than all threads of a server."""
LONGEST_SECONDS = 150
"""Until a server has closed them: 30 s for a head, 20 s for a body, and much for a busy machine."""
OTHERS_SECONDS = 20
"""For a request of another client. Behind half a request it would get no answer."""


@dataclass(frozen=True, slots=True)
class Half:
    """A request that does not end."""

    begin: bytes
    drip: bytes = b""
    """What follows, a byte a second, again and again; nothing if it is empty."""


@dataclass(slots=True)
class HalfConnection:
    """A connection with half a request."""

    kind: str
    half: Half
    socket: socket.socket
    sent: int = 0
    received: bytes = b""
    closed_after: float | None = None
    """Seconds from its begin until the server had closed it."""
    began: float = field(default_factory=time.monotonic)

    def step(self) -> None:
        """Send the next byte, and read what has come."""
        with suppress(OSError):
            if self.half.drip:
                self.socket.send(self.half.drip[self.sent % len(self.half.drip) :][:1])
                self.sent += 1
        try:
            while data := self.socket.recv(65536):
                self.received += data
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:  # reset
            pass
        self.closed_after = time.monotonic() - self.began

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in STATUS.findall(self.received)]


def heads(host: bytes) -> dict[str, Half]:
    """Heads that do not end."""
    start = b"GET /v1/me HTTP/1.1\r\nHost: " + host + b"\r\n"
    return {
        "nothing": Half(b""),
        "half a request line": Half(b"GET /v1/m"),
        "half a request line, a byte a second": Half(b"GET /", b"v1"),
        "half a head": Half(start),
        "half a head, a byte a second": Half(start, b"X-A: 1\r\n"),
        "half a name": Half(start + b"X-A", b"a"),
        "empty lines": Half(b"", b"\r\n"),
    }


def bodies(host: bytes, person: Person) -> dict[str, Half]:
    """Bodies that do not end."""
    me = f"Authorization: Bearer {person.token}\r\n".encode()
    lines = b" HTTP/1.1\r\nHost: " + host + b"\r\nContent-Type: application/json\r\n"
    patch = b"PATCH /v1/me" + lines + me
    length, chunks = b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    return {
        "no body": Half(patch + length),
        "half a body": Half(patch + length + b'{"name"'),
        "a body, a byte a second": Half(patch + length, b" "),
        "no chunk": Half(patch + chunks),
        "half a size": Half(patch + chunks + b"1"),
        "a size, a byte a second": Half(patch + chunks, b"0"),
        "half a chunk": Half(patch + chunks + b"9\r\n{"),
        "chunks, a byte a second": Half(patch + chunks, b"1\r\n \r\n"),
        "no last chunk": Half(patch + chunks + b"2\r\n{}\r\n"),
        "half a trailer": Half(patch + chunks + b"2\r\n{}\r\n0\r\nX-A", b"a"),
        "no body and no token": Half(b"PATCH /v1/me" + lines + length),
        "no body of a page": Half(b"GET /v1/me/feed" + lines + me + length),
        "no body of a stream": Half(b"GET /v1/live" + lines + me + length),
        "no body of a probe": Half(b"GET /livez" + lines + length),
        "no body of nothing": Half(b"POST /nothing" + lines + length),
    }


@contextmanager
def half_requests(server: WireServer, halves: Mapping[str, Half]) -> Iterator[list[HalfConnection]]:
    """Connections with half requests of all kinds. A thread sends their bytes."""
    with ExitStack() as opened:
        found = []
        for kind, half in halves.items():
            for _ in range(EACH):
                connection = opened.enter_context(server.connect())
                connection.sendall(half.begin)
                connection.setblocking(False)
                found.append(HalfConnection(kind, half, connection))
        stopping = threading.Event()

        def drip() -> None:
            while not stopping.wait(1):
                for one in found:
                    if one.closed_after is None:
                        one.step()

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield found
        finally:
            stopping.set()
            thread.join()


def assert_others_are_served(server: WireServer, person: Person) -> None:
    """A page, a write and a probe, each on a connection of its own; 503 may come before."""
    me = f"Authorization: Bearer {person.token}\r\n".encode()
    close = b"Host: " + server.host + b"\r\nConnection: close\r\n\r\n"
    for start in (b"GET /v1/me/feed", b"GET /v1/me", b"POST /v1/me/live/tickets", b"GET /livez"):
        request, end = start + b" HTTP/1.1\r\n" + me + close, time.monotonic() + OTHERS_SECONDS
        statuses = [b"503"]
        while statuses == [b"503"] and time.monotonic() < end:
            statuses = STATUS.findall(server.read(request, quiet_seconds=OTHERS_SECONDS))
        assert statuses in ([b"200"], [b"201"]), (start, statuses)


def watch_until_closed(
    server: WireServer, person: Person, connections: list[HalfConnection]
) -> None:
    """Assert that others are served until the server has closed all of them."""
    end = time.monotonic() + LONGEST_SECONDS
    while any(one.closed_after is None for one in connections):
        assert_others_are_served(server, person)
        held = {one.kind for one in connections if one.closed_after is None}
        assert time.monotonic() < end, held
        time.sleep(1)


# Security 11
@pytest.mark.timeout(300)
def test_half_requests_hold_nobody_up_and_are_ended(
    servers: dict[str, WireServer], attacker: Person
) -> None:
    server = servers["asgi.py"]
    halves = {**heads(server.host), **bodies(server.host, attacker)}
    with half_requests(server, halves) as connections:
        watch_until_closed(server, attacker, connections)
    late = {one.kind: one.statuses for one in connections if one.half.begin.endswith(b"\r\n\r\n")}
    print({one.kind: (one.closed_after, one.statuses) for one in connections})
    assert late["no body"] == late["a body, a byte a second"] == late["no chunk"] == [408]
    assert all(status < 500 for one in connections for status in one.statuses)


# Security 11
@pytest.mark.timeout(300)
def test_half_heads_hold_nobody_up_at_wsgi_and_are_ended(
    servers: dict[str, WireServer], attacker: Person
) -> None:
    server = servers["wsgi.py"]
    with half_requests(server, heads(server.host)) as connections:
        watch_until_closed(server, attacker, connections)


# Security 11
@pytest.mark.timeout(300)
def test_half_requests_hold_nobody_up_at_the_edge_and_half_heads_are_ended(
    servers: dict[str, WireServer], attacker: Person
) -> None:
    """None of them reaches the API: Caddy buffers bodies, and waits 10 s for heads."""
    server = servers["Caddy"]
    ended = heads(server.host)
    with half_requests(server, {**ended, **bodies(server.host, attacker)}) as connections:
        watch_until_closed(server, attacker, [one for one in connections if one.kind in ended])
        assert_others_are_served(server, attacker)


# Security 11
def test_clients_that_close_in_the_middle_leave_nothing_behind(
    servers: dict[str, WireServer], attacker: Person
) -> None:
    for server in servers.values():
        for half in {**heads(server.host), **bodies(server.host, attacker)}.values():
            for _ in range(EACH):
                with server.connect() as connection:
                    connection.sendall(half.begin)
        assert_others_are_served(server, attacker)
