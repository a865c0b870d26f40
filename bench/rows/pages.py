"""R1 to R6: pages of the feed over HTTP, from the cache, against what the same server could do."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from bench.peers import textbook_server as textbook_feed
from bench.peers.page_command import PageCommand
from bench.peers.wrk import Request, load, write_requests
from bench.rows import page_client as pages
from bench.rows.page_client import Page, Pages, deep_viewers, first, pages_of, viewers
from bench.rows.row import Check, Measured, Row, Sides, Sizes
from bench.stage.servers import granian_of

HELLO_FLASK = "bench.peers.hello_flask:app"
HELLO_WSGI = "bench.peers.hello_wsgi:app"

CEILING = 1.5
"""What the client must reach at an app that does nothing, as a multiple of the row."""

PACED_CONNECTIONS = 64
"""R5: so many wait in turn, so that requests come at the wanted rate, and at any moment."""

DEEP = 200
NEAR_THE_END = 40
"""Posts before the end of a list at which R6's last page begins."""


def _first_pages(pages_: Pages) -> list[Page]:
    return [first(viewer) for viewer in viewers(pages_.stage)]


def _check(pages_: Pages, asked: list[Page]) -> Check:
    return Check(
        what="pages equal to the view's bytes and to the model's ids",
        count=len(asked),
        passed=not pages_.wrong(asked),
    )


class Ceiling:
    """What the client reaches where the app does nothing: it must not be what is measured."""

    def __init__(self, sizes: Sizes, url: str, file: Path) -> None:
        self._sizes, self._url, self._file = sizes, url, file
        self._rate = 0.0
        self._best = 0.0

    def note(self, measured: Measured) -> Measured:
        """Remembers the row's best turn."""
        self._best = max(self._best, measured.value)
        return measured

    def void(self) -> str | None:
        """Why the row says nothing, if it does not."""
        if self.rate() < CEILING * self._best:
            return f"the client's ceiling is {self.rate():,.0f}/s, the row {self._best:,.0f}/s"
        return None

    def rate(self) -> float:
        """The ceiling."""
        if not self._rate:
            self._rate = load(self._url, self._file, seconds=self._sizes.seconds).clean().rate
        return self._rate


@contextmanager
def _against(
    sizes: Sizes, counterpart: Callable[[ExitStack, Pages, Path], Callable[[], Measured]]
) -> Iterator[Sides]:
    """First pages, against a counterpart that is opened for the row."""
    with ExitStack() as closing:
        found = closing.enter_context(pages_of(sizes))
        asked = _first_pages(found)
        file = found.file("first", asked)
        plain = write_requests(file.with_name("plain.tsv"), [Request(path="/")])
        hello = closing.enter_context(granian_of(HELLO_WSGI))
        ceiling = Ceiling(sizes, hello, plain)
        yield Sides(
            ours=lambda: ceiling.note(found.measured(file)[0]),
            against=counterpart(closing, found, plain),
            check=lambda: _check(found, asked),
            void=ceiling.void,
            context=lambda: {"client's ceiling": ceiling.rate()},
            sizes={"users": found.stage.town.users, "viewers": len(asked)},
        )


def _hello(app: str) -> Callable[[ExitStack, Pages, Path], Callable[[], Measured]]:
    def opened(closing: ExitStack, found: Pages, plain: Path) -> Callable[[], Measured]:
        url = closing.enter_context(granian_of(app))
        return lambda: Measured(value=load(url, plain, seconds=found.seconds).clean().rate)

    return opened


def _textbook(closing: ExitStack, found: Pages, _plain: Path) -> Callable[[], Measured]:
    url = closing.enter_context(textbook_feed.served_textbook(found.stage))
    file = write_requests(
        found.stage.stack.folder / "textbook.tsv",
        [Request(path=textbook_feed.path(found.stage, one)) for one in viewers(found.stage)],
    )
    return lambda: Measured(value=load(url, file, seconds=found.seconds).clean().rate)


def _command(closing: ExitStack, found: Pages, _plain: Path) -> Callable[[], Measured]:
    user_ids = [found.stage.town.user_id(viewer) for viewer in viewers(found.stage)]
    command = closing.enter_context(PageCommand(found.stage, user_ids))
    return lambda: Measured(value=command.rate(found.seconds))


def _ready(
    counterpart: Callable[[ExitStack, Pages, Path], Callable[[], Measured]],
) -> Callable[[Sizes], AbstractContextManager[Sides]]:
    return lambda sizes: _against(sizes, counterpart)


@contextmanager
def _paced(sizes: Sizes) -> Iterator[Sides]:
    """R5: both asked at half of the rate that ours reaches, by the same pauses."""
    with ExitStack() as closing:
        found = closing.enter_context(pages_of(sizes))
        hello = closing.enter_context(granian_of(HELLO_FLASK))
        asked = _first_pages(found)
        file = found.file("first", asked)
        plain = write_requests(file.with_name("plain.tsv"), [Request(path="/")])
        peak = found.measured(file)[1]
        pause_ms = 1000 * PACED_CONNECTIONS / (peak.rate / 2)
        rates: dict[str, float] = {}

        def at_half(name: str, url: str, requests: Path) -> Measured:
            asked = load(
                url,
                requests,
                seconds=found.seconds,
                connections=PACED_CONNECTIONS,
                pause_ms=pause_ms,
            ).clean()
            rates[name] = asked.rate
            return Measured(value=asked.p99_ms)

        yield Sides(
            ours=lambda: at_half("rate, ours", found.ours.url, file),
            against=lambda: at_half("rate, against", hello, plain),
            check=lambda: _check(found, asked),
            context=lambda: {"peak": peak.rate, **rates},
            sizes={"users": found.stage.town.users, "viewers": len(asked)},
        )


def _deep(start: int | None) -> Callable[[Sizes], AbstractContextManager[Sides]]:
    """R6: a page deep in a full list, against the first page of the same lists."""

    @contextmanager
    def ready(sizes: Sizes) -> Iterator[Sides]:
        with pages_of(sizes) as found:
            stage = found.stage
            who = deep_viewers(stage)
            cap = stage.storage.timelines.cap
            least = min(cap, *(len(stage.feed(viewer)) for viewer in who))
            depth = min(start or least, least - NEAR_THE_END) // pages.PAGE * pages.PAGE
            deep = [found.walked(viewer, depth) for viewer in who]
            shallow = [first(viewer) for viewer in who]
            deep_file, shallow_file = found.file("deep", deep), found.file("shallow", shallow)
            yield Sides(
                ours=lambda: found.measured(deep_file)[0],
                against=lambda: found.measured(shallow_file)[0],
                check=lambda: _check(found, [*deep, *shallow]),
                sizes={"users": stage.town.users, "lists": len(who), "depth": depth},
            )

    return ready


ROWS = (
    Row(
        id="R1",
        title="first page over HTTP : Flask's hello, same server",
        unit="pages/s",
        target=1.8,
        better="higher",
        ready=_ready(_hello(HELLO_FLASK)),
        needs=("wrk",),
    ),
    Row(
        id="R2",
        title="first page over HTTP : bare WSGI hello, same server",
        unit="pages/s",
        target=0.33,
        better="higher",
        ready=_ready(_hello(HELLO_WSGI)),
        needs=("wrk",),
    ),
    Row(
        id="R3",
        title="first page over HTTP : textbook flask-smorest and marshmallow on gunicorn",
        unit="pages/s",
        target=17,
        better="higher",
        ready=_ready(_textbook),
        needs=("wrk",),
    ),
    Row(
        id="R4",
        title="first page over HTTP : redis-benchmark of the page's command",
        unit="pages/s",
        target=0.28,
        better="higher",
        ready=_ready(_command),
        needs=("wrk", "redis-benchmark"),
    ),
    Row(
        id="R5",
        title="p99 of the first page at half its peak : of Flask's hello at the same rate",
        unit="ms",
        target=1.0,
        better="lower",
        ready=_paced,
        needs=("wrk",),
    ),
    Row(
        id="R6@200",
        title="page at depth 200 : first page",
        unit="pages/s",
        target=0.6,
        better="higher",
        ready=_deep(DEEP),
        needs=("wrk",),
    ),
    Row(
        id="R6@end",
        title="page at the list's end : first page",
        unit="pages/s",
        target=0.6,
        better="higher",
        ready=_deep(None),
        needs=("wrk",),
    ),
)
