"""A circuit breaker for the graph: while the graph does not answer, calls fail at once.

Only a failed probe opens the circuit. The probe opens a new connection and runs a statement that
needs no data and no lock, so a slow, waiting or refused statement never opens the circuit. A
successful probe closes it again. A lost connection, or a long wait for an answer, only requests a
probe. The circuit's own thread sends it, so no caller waits for a probe.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from graph.errors import GraphUnavailableError
from observing import metrics

log = structlog.get_logger()

POLL_SECONDS = 0.25
"""Interval at which the calls in flight are checked."""

SILENT_SECONDS = 1.0
"""A probe is sent when a call has waited this long and no call got an answer in that time."""

PROBE_INTERVAL_SECONDS = 0.5
"""Interval between probes while the circuit is open."""


class Circuit:
    """Refuses calls while the graph is unavailable; one a connection, shared by its threads.

    `probe` returns within a few seconds whether the graph answers. `on_open` runs when the circuit
    opens; it has to end the calls that still wait for an answer.
    """

    def __init__(self, probe: Callable[[], bool], on_open: Callable[[], None]) -> None:
        self._probe = probe
        self._on_open = on_open
        self._call_starts: dict[int, float] = {}
        self._answered_at = time.monotonic()
        self._open = False
        self._probe_requested = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def open(self) -> bool:
        """Whether calls are refused now."""
        return self._open

    @contextmanager
    def call(self) -> Iterator[None]:
        """Register a call to the graph. Raises GraphUnavailableError while the circuit is open."""
        if self._open:
            metrics.CALLS_REFUSED.labels(store="neo4j", why="circuit").inc()
            raise GraphUnavailableError("circuit open: the graph does not answer")
        self._ensure_thread()
        thread = threading.get_ident()
        self._call_starts[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._call_starts[thread]

    def record_answer(self) -> None:
        """Close the circuit: the graph has answered a call, with rows or with a refusal."""
        self._answered_at = time.monotonic()
        if self._open:
            self._set(open_=False)

    def request_probe(self) -> None:
        """Probe the graph now: a connection has failed, perhaps only that one."""
        self._probe_requested.set()

    def stop(self) -> None:
        """End the circuit's thread."""
        self._stopped.set()
        self._probe_requested.set()

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="circuit", daemon=True)
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while not self._stopped.is_set():
            if self._open:
                self._stopped.wait(PROBE_INTERVAL_SECONDS)
            else:
                self._probe_requested.wait(POLL_SECONDS)
            if self._probe_requested.is_set() or self._open or self._is_silent():
                self._probe_requested.clear()
                self._update()

    def _is_silent(self) -> bool:
        latest = time.monotonic() - SILENT_SECONDS
        return self._answered_at < latest and any(
            start < latest for start in list(self._call_starts.values())
        )

    def _update(self) -> None:
        """Probe the graph, then open or close the circuit."""
        start = time.monotonic()
        if self._probe_succeeds():
            self.record_answer()
        elif self._answered_at < start and not self._stopped.is_set():  # no call got an answer
            self._set(open_=True)

    def _probe_succeeds(self) -> bool:
        """The probe's result; True after a bug in the probe, which must not block every call."""
        try:
            return self._probe()
        except Exception:
            log.exception("graph not probed")
            return True

    def _set(self, *, open_: bool) -> None:
        with self._lock:
            changed, self._open = self._open != open_, open_
        if changed and open_:
            metrics.CIRCUIT_OPENINGS.labels(store="neo4j").inc()
            log.warning("graph away, left alone")
            self._on_open()
        elif changed:
            log.info("graph answers again")
