"""The access log of what the loop answers, with its counters.

The loop only appends to a buffer. A thread writes the lines in batches and counts them, several
times a second: one structlog line and the counters for each response would double the time of a
page, and writing can block. A killed process loses the lines in its buffer; no response depends on
them.
"""

import functools
import logging
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import structlog

from api.http.observing import method_label
from observing.logs import to_json
from observing.metrics import (
    FAIL_OPEN_TOTAL,
    FRONT_PASSED_ON,
    REQUEST_SECONDS,
    REQUESTS,
    TIMELINE_READS,
)

T = TypeVar("T")

log = structlog.get_logger()

FLUSH_SECONDS = 0.1
"""The longest that a line stays in the buffer."""

MAX_BUFFERED = 100_000
"""Responses in the buffer: some seconds at full speed, while nobody reads our log. Of further ones
only their number is known."""

BATCH_SIZE = 64
"""Lines written together: the thread gives the interpreter to the loop between two batches."""

_What = tuple[str, int]
"""Method and status of a response that no route has made; or one of the two below."""
_LOST: _What = ("lost", 0)
_PASSED_ON: _What = ("passed on", 0)


class _Entry(NamedTuple):
    """One response."""

    time: float
    """When it was sent, in Unix seconds."""
    seconds: float
    """How long it took."""
    status: int
    request_id: str
    viewer_id: int
    client: str
    """The client's address."""
    from_window: bool
    """Whether the window proved the page. Other pages are counted where they are read."""


class AccessLog:
    """Logs and counts the responses of one route. `add`, `count`, `pass_on` belong to the loop.

    The loop alone writes its totals. The thread compares them with what it has reported: so neither
    needs a lock.
    """

    def __init__(self, route: str) -> None:
        self._route = route
        self._buffer: deque[_Entry] = deque()
        self._totals: dict[_What, int] = {}
        self._reported: dict[_What, int] = {}
        self._seconds = REQUEST_SECONDS.labels("GET", route)
        self._closing = threading.Event()
        self._flushing = threading.Lock()
        threading.Thread(target=self._flush_periodically, name="access-log", daemon=True).start()

    def add(
        self,
        start_time: float,
        status: int,
        request_id: str,
        viewer_id: int,
        client: str,
        *,
        from_window: bool,
    ) -> None:
        """Buffer the response to a request that began at `start_time` (perf_counter)."""
        seconds = time.perf_counter() - start_time
        if len(self._buffer) >= MAX_BUFFERED:
            self._increment(_LOST)
            return
        self._buffer.append(
            _Entry(time.time(), seconds, status, request_id, viewer_id, client, from_window)
        )

    def count(self, method: str, status: int) -> None:
        """Count a response that no route has made."""
        self._increment((method_label(method), status))

    def pass_on(self) -> None:
        """Count a request that Flask answers."""
        self._increment(_PASSED_ON)

    def flush(self) -> None:
        """Log and count what is buffered now."""
        with self._flushing:
            self._report_totals()
            for _ in range(0, len(self._buffer), BATCH_SIZE):  # others may be added meanwhile
                self._write(_take(self._buffer, BATCH_SIZE))

    def close(self) -> None:
        """Flush, and end the thread."""
        self._closing.set()
        self.flush()

    def _increment(self, what: _What) -> None:
        self._totals[what] = self._totals.get(what, 0) + 1

    def _report_totals(self) -> None:
        """Count what has happened since the last report."""
        for what, total in self._totals.copy().items():
            number = total - self._reported.get(what, 0)
            self._reported[what] = total
            if what == _LOST:
                _report_lost(number)
            elif what == _PASSED_ON:
                FRONT_PASSED_ON.inc(number)
            else:
                REQUESTS.labels(what[0], "(overload)", what[1]).inc(number)

    def _write(self, entries: list[_Entry]) -> None:
        for status, count in Counter(entry.status for entry in entries).items():
            REQUESTS.labels("GET", self._route, status).inc(count)
        TIMELINE_READS.labels(source="window").inc(sum([entry.from_window for entry in entries]))
        for entry in entries:
            self._seconds.observe(entry.seconds)
        if log.is_enabled_for(logging.INFO):
            self._write_lines(entries)

    def _write_lines(self, entries: list[_Entry]) -> None:
        try:
            sys.stdout.write("".join([self._line(entry) for entry in entries]))
            sys.stdout.flush()
        except Exception:
            FAIL_OPEN_TOTAL.labels(what="access log").inc(len(entries))
            raise

    def _line(self, entry: _Entry) -> str:
        """The same line as api/http/observing.py logs, formatted without structlog."""
        microseconds = int(entry.time % 1 * 1_000_000)
        return (
            f'{{"method": "GET", "route": "{self._route}", "path": "{self._route}", '
            f'"status": {entry.status}, "milliseconds": {round(entry.seconds * 1000, 2)}, '
            f'"client": {_quote(entry.client)}, "event": "request", '
            f'"viewer_id": {entry.viewer_id}, "request_id": "{entry.request_id}", '
            f'"level": "info", "time": "{_format_second(int(entry.time))}.{microseconds:06d}Z", '
            f'"service": "api"}}\n'
        )

    def _flush_periodically(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except Exception:  # a full disk, for example: a later flush may succeed
                with suppress(Exception):  # the same may happen to this line
                    log.exception("access log not written")


def _report_lost(lines: int) -> None:
    if lines:
        FAIL_OPEN_TOTAL.labels(what="access log").inc(lines)
        log.warning("failed open", what="access log", lines=lines)


def _take(buffer: deque[T], most: int) -> list[T]:
    """What the buffer holds, at most so many items, removed from it."""
    items: list[T] = []
    while len(items) < most:
        try:
            items.append(buffer.popleft())
        except IndexError:
            break
    return items


@functools.lru_cache(maxsize=8)
def _format_second(unix_second: int) -> str:
    return datetime.fromtimestamp(unix_second, UTC).isoformat()[:-6]


@functools.lru_cache(maxsize=4096)
def _quote(client: str) -> str:
    return to_json(client)
