"""The access log of what the loop answers, with its counters.

The loop only appends to a buffer. A thread writes the lines in batches and counts them, several
times a second: one structlog line and the counters for each response would double the time of a
page, and writing can block. A killed process loses the lines in its buffer; no response depends on
them.
"""

import functools
import json
import logging
import sys
import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import structlog

from api.http.observing import method_label
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
"""Responses in the buffer: some seconds at full speed, while nobody reads our log. Further ones are
neither logged nor counted."""

BATCH_SIZE = 64
"""Lines written together: the thread gives the interpreter to the loop between two batches."""


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
    """Logs and counts the responses of one route. `add`, `count`, `pass_on` belong to the loop."""

    def __init__(self, route: str) -> None:
        self._route = route
        self._buffer: deque[_Entry] = deque()
        self._counts: deque[tuple[str, int]] = deque(maxlen=MAX_BUFFERED)
        self._passed_on: deque[None] = deque(maxlen=MAX_BUFFERED)
        self._lost: deque[None] = deque(maxlen=MAX_BUFFERED)
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
            self._lost.append(None)
            return
        self._buffer.append(
            _Entry(time.time(), seconds, status, request_id, viewer_id, client, from_window)
        )

    def count(self, method: str, status: int) -> None:
        """Count a response that no route has made."""
        self._counts.append((method, status))

    def pass_on(self) -> None:
        """Count a request that Flask answers."""
        self._passed_on.append(None)

    def flush(self) -> None:
        """Log and count what is buffered."""
        with self._flushing:
            while entries := _take(self._buffer, BATCH_SIZE):
                self._write(entries)
            for (method, status), number in Counter(_take(self._counts)).items():
                REQUESTS.labels(method_label(method), "(overload)", status).inc(number)
            FRONT_PASSED_ON.inc(len(_take(self._passed_on)))
            self._report_lost(len(_take(self._lost)))

    def close(self) -> None:
        """Flush, and end the thread."""
        self._closing.set()
        self.flush()

    def _report_lost(self, lines: int) -> None:
        if lines:
            FAIL_OPEN_TOTAL.labels(what="access log").inc(lines)
            log.warning("failed open", what="access log", lines=lines)

    def _write(self, entries: list[_Entry]) -> None:
        for status, count in Counter(entry.status for entry in entries).items():
            REQUESTS.labels("GET", self._route, status).inc(count)
        TIMELINE_READS.labels(source="window").inc(sum([entry.from_window for entry in entries]))
        for entry in entries:
            self._seconds.observe(entry.seconds)
        if log.is_enabled_for(logging.INFO):
            sys.stdout.write("".join([self._line(entry) for entry in entries]))
            sys.stdout.flush()

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
                log.exception("access log not written")


def _take(buffer: deque[T], most: int = sys.maxsize) -> list[T]:
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
    return json.dumps(client)
