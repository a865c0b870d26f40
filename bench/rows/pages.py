"""R1, R2, R3, R5, R6: feed pages over HTTP, against what the same server can do."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.textbook_server import feed_path, running_textbook
from bench.peers.wrk import Request, load, write_requests
from bench.rows.page_client import (
    PAGE,
    Page,
    PageClient,
    deep_viewers,
    first_page,
    page_client,
    viewers,
)
from bench.rows.row import Check, OpenSides, Row, Sides
from bench.stage.measurement import Measurement
from bench.stage.run_context import RunContext
from bench.stage.servers import running_app

HELLO_FLASK = "bench.peers.hello_flask:app"
HELLO_ASGI = "bench.peers.hello_asgi:app"

NO_COPIES = {"FEED_COPY_BYTES": "0", "FEED_PAGE_BYTES": "0"}
"""Settings of an API that keeps nothing."""

CEILING = 1.5
"""Least ratio of the client's rate at an app that does nothing to the row's rate."""

PACED_CONNECTIONS = 64
"""R5: enough connections, each pausing between requests, that requests come at any moment."""

DEEP = 200
NEAR_THE_END = 40
"""Posts from the start of R6's last page to the end of the list."""


def first_pages(client: PageClient) -> list[Page]:
    """The first page of every viewer."""
    return [first_page(viewer) for viewer in viewers(client.stage)]


def check_pages(client: PageClient, pages: list[Page]) -> Check:
    """Whether the API gives these pages as it should."""
    return Check(
        what="pages equal to the view's bytes and to the model's ids",
        count=len(pages),
        passed=not client.wrong_pages(pages),
    )


class ClientCeiling:
    """The rate of the load client at an app that does nothing. It must not limit the row."""

    def __init__(self, run: RunContext, url: str, file: Path) -> None:
        self._run, self._url, self._file = run, url, file
        self._rate = 0.0
        self._best = 0.0

    def note(self, measurement: Measurement) -> Measurement:
        """Record the row's best rate; returns the measurement."""
        self._best = max(self._best, measurement.value)
        return measurement

    def void(self) -> str | None:
        """Why the row gives no ratio, or None."""
        if self.rate() < CEILING * self._best:
            return f"the client's ceiling is {self.rate():,.0f}/s, the row {self._best:,.0f}/s"
        return None

    def rate(self) -> float:
        """Requests a second; the first call measures them."""
        if not self._rate:
            self._rate = (
                load(self._url, self._file, seconds=self._run.seconds).require_success().rate
            )
        return self._rate


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """What a counterpart of first pages is opened with."""

    closing: ExitStack
    """Closes what the counterpart opens."""
    client: PageClient
    plain_file: Path
    """One request of `/`."""

    def rate_of(self, url: str, file: Path) -> Measurement:
        """Requests a second at a server."""
        return Measurement(
            value=load(url, file, seconds=self.client.seconds).require_success().rate
        )


OpenCounterpart = Callable[[PageRow], Callable[[], Measurement]]


def _first_page_row(
    open_counterpart: OpenCounterpart, variables: Mapping[str, str] | None = None
) -> OpenSides:
    """First pages, against a counterpart that is opened for the row.

    `variables` are settings of the API.
    """

    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        with ExitStack() as closing:
            client = closing.enter_context(page_client(run, variables=variables))
            pages = first_pages(client)
            file = client.write_file("first", pages)
            plain_file = write_requests(file.with_name("plain.tsv"), [Request(path="/")])
            hello = closing.enter_context(running_app(HELLO_ASGI, "asgi"))
            ceiling = ClientCeiling(run, hello, plain_file)
            row = PageRow(closing=closing, client=client, plain_file=plain_file)
            yield Sides(
                ours=lambda: ceiling.note(client.measure(file)[0]),
                against=open_counterpart(row),
                check=lambda: check_pages(client, pages),
                void=ceiling.void,
                context=lambda: {"client's ceiling": ceiling.rate()},
                sizes={"users": client.stage.town.users, "viewers": len(pages)},
            )

    return open_sides


def _flask_hello(row: PageRow) -> Callable[[], Measurement]:
    url = row.closing.enter_context(running_app(HELLO_FLASK, "wsgi"))
    return lambda: row.rate_of(url, row.plain_file)


def _raw_hello(row: PageRow) -> Callable[[], Measurement]:
    url = row.closing.enter_context(running_app(HELLO_ASGI, "asgi"))
    return lambda: row.rate_of(url, row.plain_file)


def _textbook(row: PageRow) -> Callable[[], Measurement]:
    stage = row.client.stage
    url = row.closing.enter_context(running_textbook(stage, viewers(stage)))
    requests = [Request(path=feed_path(stage, viewer)) for viewer in viewers(stage)]
    file = write_requests(stage.stack.folder / "textbook.tsv", requests)
    return lambda: row.rate_of(url, file)


@contextmanager
def _latency(run: RunContext) -> Iterator[Sides]:
    """R5: both sides get half of our peak rate, by the same pauses."""
    with ExitStack() as closing:
        client = closing.enter_context(page_client(run))
        hello = closing.enter_context(running_app(HELLO_FLASK, "wsgi"))
        pages = first_pages(client)
        file = client.write_file("first", pages)
        plain_file = write_requests(file.with_name("plain.tsv"), [Request(path="/")])
        peak = client.measure(file)[1]
        pause_ms = 1000 * PACED_CONNECTIONS / (peak.rate / 2)
        rates: dict[str, float] = {}

        def p99_at_half(name: str, url: str, requests: Path) -> Measurement:
            result = load(
                url,
                requests,
                seconds=client.seconds,
                connections=PACED_CONNECTIONS,
                pause_ms=pause_ms,
            ).require_success()
            rates[name] = result.rate
            return Measurement(value=result.p99_ms)

        yield Sides(
            ours=lambda: p99_at_half("rate, ours", client.processes.url, file),
            against=lambda: p99_at_half("rate, against", hello, plain_file),
            check=lambda: check_pages(client, pages),
            context=lambda: {"peak": peak.rate, **rates},
            sizes={"users": client.stage.town.users, "viewers": len(pages)},
        )


def _deep_page(start: int | None) -> OpenSides:
    """R6: a page that begins at post `start`, or near the end, against the first page."""

    @contextmanager
    def open_sides(run: RunContext) -> Iterator[Sides]:
        with page_client(run) as client:
            stage = client.stage
            readers = deep_viewers(stage)
            cap = stage.storage.timelines.cap
            shortest = min(cap, *(len(stage.feed(viewer)) for viewer in readers))
            depth = min(start or shortest, shortest - NEAR_THE_END) // PAGE * PAGE
            deep = [client.walk(viewer, depth) for viewer in readers]
            first = [first_page(viewer) for viewer in readers]
            deep_file = client.write_file("deep", deep)
            first_file = client.write_file("shallow", first)
            yield Sides(
                ours=lambda: client.measure(deep_file)[0],
                against=lambda: client.measure(first_file)[0],
                check=lambda: check_pages(client, [*deep, *first]),
                sizes={"users": stage.town.users, "lists": len(readers), "depth": depth},
            )

    return open_sides


ROWS = (
    Row(
        id="R1",
        title="first page over HTTP : Flask's hello, same server on WSGI",
        unit="pages/s",
        target=1.3,
        better="higher",
        open=_first_page_row(_flask_hello),
        needs=("wrk",),
    ),
    Row(
        id="R1c",
        title="first page over HTTP, its bodies from the cache each time : Flask's hello",
        unit="pages/s",
        target=0.6,
        better="higher",
        open=_first_page_row(_flask_hello, NO_COPIES),
        needs=("wrk",),
    ),
    Row(
        id="R2",
        title="first page over HTTP : bare ASGI hello, same server",
        unit="pages/s",
        target=0.35,
        better="higher",
        open=_first_page_row(_raw_hello),
        needs=("wrk",),
    ),
    Row(
        id="R3",
        title="first page over HTTP : textbook flask-smorest and marshmallow on gunicorn",
        unit="pages/s",
        target=17,
        better="higher",
        open=_first_page_row(_textbook),
        needs=("wrk",),
    ),
    Row(
        id="R5",
        title="p99 of the first page at half its peak : of Flask's hello at the same rate",
        unit="ms",
        target=1.0,
        better="lower",
        open=_latency,
        needs=("wrk",),
    ),
    Row(
        id="R6@200",
        title="page at depth 200 : first page",
        unit="pages/s",
        target=0.6,
        better="higher",
        open=_deep_page(DEEP),
        needs=("wrk",),
    ),
    Row(
        id="R6@end",
        title="page at the list's end : first page",
        unit="pages/s",
        target=0.6,
        better="higher",
        open=_deep_page(None),
        needs=("wrk",),
    ),
)
