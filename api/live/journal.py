"""Log and counters of live streams. The loop notes, a thread writes once a second.

One line for the beginning and one for the end of a stream, as the access log has one for a request.
No line has the query, which contains a ticket.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import structlog

from api.live.requests import PATH
from observing import metrics

log = structlog.get_logger()

MAX_LINES = 5_000
"""Lines that wait for the thread. Further ones are only counted."""


@dataclass(slots=True)
class Report:
    """What has happened since the last report."""

    streams: int = 0
    """Open ones."""
    statuses: Counter[int] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    round_seconds: list[float] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    lost_lines: int = 0

    def write(self) -> None:
        """Blocks: add to the metrics and write the lines. Raises what the output raises."""
        metrics.LIVE_STREAMS.set(self.streams)
        for status, number in self.statuses.items():
            metrics.REQUESTS.labels("GET", PATH, status).inc(number)
        for name, number in self.events.items():
            metrics.LIVE_EVENTS.labels(event=name).inc(number)
        for reason, number in self.ended.items():
            metrics.LIVE_ENDED.labels(reason=reason).inc(number)
        for source, number in self.counts.items():
            metrics.LIVE_COUNTS.labels(source=source).inc(number)
        for seconds in self.round_seconds:
            metrics.LIVE_ROUND_SECONDS.observe(seconds)
        if self.lost_lines:
            metrics.FAIL_OPEN_TOTAL.labels(what="access log").inc(self.lost_lines)
        self._write_lines()

    def _write_lines(self) -> None:
        for number, line in enumerate(self.lines):
            try:
                log.info(**line)
            except Exception:  # a full disk, for example: who called logs it, and goes on
                metrics.FAIL_OPEN_TOTAL.labels(what="access log").inc(len(self.lines) - number)
                raise


class Journal:
    """Notes for the next report. For the loop's thread; takes no lock."""

    def __init__(self) -> None:
        self._report = Report()

    def answered(self, status: int, request_id: str, client: str, viewer_id: int | None) -> None:
        """A request was refused, or (200) a stream was opened."""
        self._report.statuses[status] += 1
        viewer = {} if viewer_id is None else {"viewer_id": viewer_id}
        self._add_line(
            "request",
            {"method": "GET", "route": PATH, "path": PATH, "status": status, "client": client}
            | {**viewer, "request_id": request_id},
        )

    def ended(
        self, reason: str, request_id: str, viewer_id: int, seconds: float, sent: int
    ) -> None:
        """A stream ended. `sent`: its events."""
        self._report.ended[reason] += 1
        self._add_line(
            "stream ended",
            {"reason": reason, "viewer_id": viewer_id, "request_id": request_id, "events": sent}
            | {"seconds": round(seconds, 1)},
        )

    def sent(self, event: str) -> None:
        """An event was given to a stream."""
        self._report.events[event] += 1

    def counted(self, source: str) -> None:
        """A count came from the cache (`cache`), a thread (`graph`), or not in time (`late`)."""
        self._report.counts[source] += 1

    def round_ended(self, seconds: float) -> None:
        """All streams were looked at once."""
        self._report.round_seconds.append(seconds)

    def take(self, streams: int) -> Report:
        """What was noted since the last call. `streams` are open now."""
        report, self._report = self._report, Report()
        report.streams = streams
        return report

    def _add_line(self, event: str, fields: dict[str, Any]) -> None:
        if not log.is_enabled_for(logging.INFO):
            return
        if len(self._report.lines) >= MAX_LINES:
            self._report.lost_lines += 1
            return
        self._report.lines.append({"event": event, **fields})
