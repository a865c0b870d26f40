"""Whether the graph answers at all: while it does not, calls are refused before they wait.

A statement that is slow, waits for a lock or is refused says nothing of that. So it is not failures
that open the circuit but a probe: a connection of its own, and a statement that needs nothing. The
same probe closes it. A failed connection, or an answer that is long in coming, only has it sent; it
is sent by a thread of the circuit's, so no caller ever waits for it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from graph.errors import GraphUnavailableError

log = structlog.get_logger()

LOOK_SECONDS = 0.25
"""How often the answers that are awaited are looked at."""

SILENT_SECONDS = 1.0
"""With an answer awaited for so long, and none to anybody meanwhile, the graph is probed."""

AGAIN_SECONDS = 0.5
"""Between two probes of a graph that is away."""


class Circuit:
    """Refuses calls while the graph is away; one a connection, for any number of threads.

    `probe` says within a few seconds whether the graph answers. `let_go` is called when it does
    not, so that whoever waits for an answer waits no longer.
    """

    def __init__(self, probe: Callable[[], bool], let_go: Callable[[], None]) -> None:
        self._probe = probe
        self._let_go = let_go
        self._waiting: dict[int, float] = {}
        self._answered_at = time.monotonic()
        self._open = False
        self._doubted = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def open(self) -> bool:
        """Whether calls are refused now."""
        return self._open

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, an answer is awaited. Raises GraphUnavailableError while the circuit is open."""
        if self._open:
            raise GraphUnavailableError("left alone until it answers again")
        self._ensure_watched()
        thread = threading.get_ident()
        self._waiting[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._waiting[thread]

    def answered(self) -> None:
        """The graph has answered somebody, be it with a refusal."""
        self._answered_at = time.monotonic()
        if self._open:
            self._set(open_=False)

    def doubted(self) -> None:
        """A connection has failed: find out whether only that one."""
        self._doubted.set()

    def close(self) -> None:
        """End the watch."""
        self._closed.set()
        self._doubted.set()

    def _ensure_watched(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._watch, name="circuit", daemon=True)
                    thread.start()
                    self._thread = thread

    def _watch(self) -> None:
        while not self._closed.is_set():
            if self._open:
                self._closed.wait(AGAIN_SECONDS)
            else:
                self._doubted.wait(LOOK_SECONDS)
            if self._doubted.is_set() or self._open or self._silent():
                self._doubted.clear()
                self._find_out()

    def _silent(self) -> bool:
        latest = time.monotonic() - SILENT_SECONDS
        return self._answered_at < latest and any(
            began < latest for began in list(self._waiting.values())
        )

    def _find_out(self) -> None:
        began = time.monotonic()
        if self._answers():
            self.answered()
        elif self._answered_at < began and not self._closed.is_set():  # nobody was luckier
            self._set(open_=True)

    def _answers(self) -> bool:
        """What the probe says; one that fails by a mistake of ours locks nobody out."""
        try:
            return self._probe()
        except Exception:
            log.exception("graph not probed")
            return True

    def _set(self, *, open_: bool) -> None:
        with self._lock:
            changed, self._open = self._open != open_, open_
        if changed and open_:
            log.warning("graph away, left alone")
            self._let_go()
        elif changed:
            log.info("graph answers again")
