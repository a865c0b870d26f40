"""Counting and logging of what the front answers, a few lines at a time.

A line made by structlog and counters kept by prometheus_client one by one cost as much as all the
rest of such an answer. So what happened is put down, and written out in a row: by whom puts down
the thirty-second, or within half a second. A process that is killed takes what it has put down
along; of its answers nothing depends on that.
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
from typing import Any

import structlog

from observing.metrics import REQUEST_SECONDS, REQUESTS, TIMELINE_READS

log = structlog.get_logger()

AT_ONCE = 32
"""Answers written out together: some 0.2 ms of one of them."""
FLUSH_SECONDS = 0.5
"""The longest that one waits."""

_Put = tuple[float, float, str, str, int, str, bool]
"""Unix time, seconds it took, status, request id, viewer's id, client's address, and whether one
window was all of it: other pages count themselves as what they came from."""


class AccessLog:
    """What was answered on the feed's route."""

    def __init__(self, route: str, *, trusted_proxies: int = 0) -> None:
        self._route = route
        self._proxies = trusted_proxies
        self._put: deque[_Put] = deque()
        self._seconds = REQUEST_SECONDS.labels("GET", route)
        threading.Thread(target=self._keep_flushing, name="access-log", daemon=True).start()

    def add(
        self,
        environ: Mapping[str, Any],
        began: float,
        status: str,
        request_id: str,
        viewer_id: int,
        *,
        at_once: bool,
    ) -> None:
        """Puts down an answer to a request that came at `began` (perf_counter)."""
        seconds = time.perf_counter() - began
        client = client_of(environ, self._proxies)
        self._put.append((time.time(), seconds, status, request_id, viewer_id, client, at_once))
        if len(self._put) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Counts and logs what has been put down."""
        answers: list[_Put] = []
        while True:
            try:
                answers.append(self._put.popleft())
            except IndexError:
                break
        if answers:
            self._write(answers)

    def _write(self, answers: list[_Put]) -> None:
        for status, count in Counter(answer[2] for answer in answers).items():
            REQUESTS.labels("GET", self._route, int(status)).inc(count)
        TIMELINE_READS.labels(source="window").inc(sum([answer[6] for answer in answers]))
        for answer in answers:
            self._seconds.observe(answer[1])
        if log.is_enabled_for(logging.INFO):
            sys.stdout.write("".join([self._line(answer) for answer in answers]))
            sys.stdout.flush()

    def _line(self, answer: _Put) -> str:
        """The line that api/http/observing.py writes of a request, made by hand."""
        at, seconds, status, request_id, viewer_id, client, _ = answer
        when = f"{_second(int(at))}.{int(at % 1 * 1_000_000):06d}"
        return (
            f'{{"method": "GET", "route": "{self._route}", "path": "{self._route}", '
            f'"status": {status}, "milliseconds": {round(seconds * 1000, 2)}, '
            f'"client": {_quoted(client)}, "event": "request", "viewer_id": {viewer_id}, '
            f'"request_id": "{request_id}", "level": "info", "time": "{when}Z", '
            f'"service": "api"}}\n'
        )

    def _keep_flushing(self) -> None:
        while True:
            time.sleep(FLUSH_SECONDS)
            try:
                self.flush()
            except Exception:  # a full disk, say: the next flush may go through
                log.exception("tally not written")


@functools.lru_cache(maxsize=8)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:-6]


@functools.lru_cache(maxsize=4096)
def _quoted(client: str) -> str:
    return json.dumps(client)


def client_of(environ: Mapping[str, Any], trusted_proxies: int) -> str:
    """The client's address, as werkzeug's ProxyFix finds it behind so many proxies."""
    if trusted_proxies:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= trusted_proxies and (client := forwarded[-trusted_proxies].strip()):
            return str(client)
    return str(environ.get("REMOTE_ADDR", ""))
