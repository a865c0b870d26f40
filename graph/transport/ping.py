"""A ping with a time limit: concurrent callers share one."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from graph.errors import GraphError, GraphUnavailableError

PING_SECONDS = 2.0
"""Time limit of a ping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PingInFlight:
    thread: threading.Thread
    errors: list[GraphError]
    """The error of the ping, if it failed."""
    deadline: float
    """In monotonic seconds."""


class SharedPing:
    """Sends one ping at a time; a caller that arrives meanwhile gets that ping's result.

    The driver has no time-out of two seconds for an answer, and a stopped server still accepts a
    statement. So each ping runs in a thread, and no other ping starts while that thread waits.
    """

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self._in_flight: _PingInFlight | None = None
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return once a ping succeeds. Raises its error, or GraphUnavailableError after 2 s."""
        ping = self._join_or_start()
        ping.thread.join(max(0.0, ping.deadline - time.monotonic()))
        if ping.thread.is_alive():
            raise GraphUnavailableError(f"no answer in {PING_SECONDS} s")
        if ping.errors:
            raise ping.errors[0]

    def _join_or_start(self) -> _PingInFlight:
        with self._lock:
            if self._in_flight is None or not self._in_flight.thread.is_alive():
                errors: list[GraphError] = []
                thread = threading.Thread(target=self._run, args=(errors,), daemon=True)
                deadline = time.monotonic() + PING_SECONDS
                self._in_flight = _PingInFlight(thread=thread, errors=errors, deadline=deadline)
                thread.start()
            return self._in_flight

    def _run(self, errors: list[GraphError]) -> None:
        try:
            self._send()
        except GraphError as error:
            errors.append(error)
