"""N3: first pages while thousands of live streams are open."""

import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlsplit

from bench.rows.page_client import PageClient, page_client, viewers
from bench.rows.pages import check_pages, first_pages
from bench.rows.row import Check, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from graph.ids import new_id

STREAMS, QUICK_STREAMS = 2_000, 50
STREAMS_A_USER = 5
"""The product's bound."""

OPEN_SECONDS = 30.0
"""The longest time for a stream to begin, and for its event to come."""

REQUEST = "GET /v1/live HTTP/1.1\r\nHost: photofeed\r\nAuthorization: Bearer {}\r\n\r\n"


class OpenStreams:
    """Streams of these tokens. Nobody reads them during a measurement. A context manager."""

    def __init__(self, url: str, tokens: Sequence[str]) -> None:
        address = urlsplit(url)
        self._address = (str(address.hostname), int(address.port or 80))
        self._tokens = tokens
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        for token in self._tokens:
            stream = socket.create_connection(self._address, OPEN_SECONDS)
            stream.sendall(REQUEST.format(token).encode())
            self._sockets.append(stream)
        if len(self.that_send(b"retry:")) != len(self._sockets):
            raise RuntimeError("Not all streams have begun.")
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self._sockets:
            stream.close()
        self._sockets = []

    def that_send(self, text: bytes) -> list[socket.socket]:
        """The streams in which the text comes within OPEN_SECONDS."""
        received = {stream.fileno(): b"" for stream in self._sockets}
        by_number = {stream.fileno(): stream for stream in self._sockets}
        poll = select.poll()
        for number in received:
            poll.register(number, select.POLLIN)
        found: list[socket.socket] = []
        end = time.monotonic() + OPEN_SECONDS
        while len(found) < len(by_number) and time.monotonic() < end:
            for number, _ in poll.poll(1_000):
                received[number] += by_number[number].recv(65_536)
                if text in received[number]:
                    poll.unregister(number)
                    found.append(by_number[number])
        return found


def _check(client: PageClient, user_ids: Sequence[int], tokens: Sequence[str]) -> Check:
    """Whether each stream gets an event for a new notification."""
    with OpenStreams(client.processes.url, tokens) as streams:
        newest = new_id()
        client.stage.storage.newest_notifications.raise_to(dict.fromkeys(user_ids, newest))
        heard = len(streams.that_send(b"event: notification"))
    return Check(what="streams that get their event", count=heard, passed=heard == len(tokens))


@contextmanager
def _with_streams(run: RunContext) -> Iterator[Sides]:
    with page_client(run) as client:
        pages = first_pages(client)
        file = client.write_file("first", pages)
        count = QUICK_STREAMS if run.quick else STREAMS
        listeners = (viewers(client.stage) * STREAMS_A_USER)[:count]
        tokens = client.stage.tokens(listeners)
        user_ids = [client.stage.town.user_id(viewer) for viewer in listeners]
        rates: dict[str, float] = {}

        def p99(name: str) -> Measurement:
            measurement, result = client.measure(file)
            rates[f"pages/s, {name}"] = result.rate
            return Measurement(value=result.p99_ms, cpu_us=measurement.cpu_us)

        def p99_with_streams() -> Measurement:
            with OpenStreams(client.processes.url, tokens):
                return p99("with streams")

        def check() -> Check:
            right = check_pages(client, pages)
            return right if not right.passed else _check(client, user_ids, tokens)

        yield Sides(
            ours=p99_with_streams,
            against=lambda: p99("without"),
            check=check,
            context=lambda: dict(rates),
            sizes={"users": client.stage.town.users, "streams": len(tokens)},
        )


ROWS = (
    Row(
        id="N3",
        title="p99 of the first page with open live streams : without",
        unit="ms",
        target=1.2,
        better="lower",
        open=_with_streams,
        needs=("wrk",),
    ),
)
