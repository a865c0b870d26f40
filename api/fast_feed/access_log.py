"""The access log of the front, with its counters.

Log lines are buffered and written in batches of 32, at the latest after 0.5 s. One structlog line
and the counters for each response would double the front's time per request. A killed process
loses the lines in its buffer; no response depends on them.
"""

import functools
import json
import logging
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from observing.metrics import REQUEST_SECONDS, REQUESTS, TIMELINE_READS

log = structlog.get_logger()

BATCH_SIZE = 32
"""Lines written together. The response that fills the batch takes 0.2 ms longer."""

FLUSH_SECONDS = 0.5
"""The longest that a line stays in the buffer."""


class _Entry(NamedTuple):
    """One response."""

    time: float
    """When it was sent, in Unix seconds."""
    seconds: float
    """How long it took."""
    status: str
    """Three digits."""
    request_id: str
    viewer_id: int
    client: str
    """The client's address."""
    from_window: bool
    """Whether the window proved the page. Other pages are counted where they are read."""


class AccessLog:
    """Logs and counts the responses of one route."""

    def __init__(self, route: str, *, trusted_proxies: int = 0) -> None:
        self._route = route
        self._trusted_proxies = trusted_proxies
        self._buffer: deque[_Entry] = deque()
        self._seconds = REQUEST_SECONDS.labels("GET", route)
        threading.Thread(target=self._flush_periodically, name="access-log", daemon=True).start()

    def add(
        self,
        environ: Mapping[str, Any],
        start_time: float,
        status: str,
        request_id: str,
        viewer_id: int,
        *,
        from_window: bool,
    ) -> None:
        """Buffer the response to a request that began at `start_time` (perf_counter)."""
        seconds = time.perf_counter() - start_time
        client = client_of(environ, self._trusted_proxies)
        self._buffer.append(
            _Entry(time.time(), seconds, status, request_id, viewer_id, client, from_window)
        )
        if len(self._buffer) >= BATCH_SIZE:
            self.flush()

    def flush(self) -> None:
        """Log and count the buffered responses."""
        entries: list[_Entry] = []
        while True:
            try:
                entries.append(self._buffer.popleft())
            except IndexError:
                break
        if entries:
            self._write(entries)

    def _write(self, entries: list[_Entry]) -> None:
        for status, count in Counter(entry.status for entry in entries).items():
            REQUESTS.labels("GET", self._route, int(status)).inc(count)
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
        while True:
            time.sleep(FLUSH_SECONDS)
            try:
                self.flush()
            except Exception:  # a full disk, for example: a later flush may succeed
                log.exception("tally not written")


def client_of(environ: Mapping[str, Any], trusted_proxies: int) -> str:
    """The client's address behind this number of proxies, the same that ProxyFix chooses."""
    if trusted_proxies:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= trusted_proxies and (client := forwarded[-trusted_proxies].strip()):
            return str(client)
    return str(environ.get("REMOTE_ADDR", ""))


@functools.lru_cache(maxsize=8)
def _format_second(unix_second: int) -> str:
    return datetime.fromtimestamp(unix_second, UTC).isoformat()[:-6]


@functools.lru_cache(maxsize=4096)
def _quote(client: str) -> str:
    return json.dumps(client)
