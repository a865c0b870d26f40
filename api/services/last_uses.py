"""When sessions were last used: written at most once an hour for each, outside of any request.

A use prolongs the session: one that is not used for the idle days ends. All that reads a session
looks at its `expires_at`, so nothing else knows of idle days.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue

import structlog

from graph import Graph
from graph.errors import GraphError
from graph.sessions import USED_LEAST_MS
from storage import Storage
from storage.errors import StorageError
from storage.sessions import COPY_TTL_SECONDS

log = structlog.get_logger()

GATHER_SECONDS = 5.0
"""Uses are gathered for so long, and written by one statement."""
MOST_AT_ONCE = 128
"""Sessions of one statement."""
MOST_PENDING = 10_000
"""Sessions that wait to be written. Further uses are noted by a later request."""
MOST_NOTED = 100_000
"""Sessions whose last note a process remembers. Beyond them it forgets all, and notes each again:
that costs a read of the graph."""
NOTED_SECONDS = USED_LEAST_MS / 1000

COPY_LIFE = timedelta(seconds=COPY_TTL_SECONDS)
"""The longest life of a copy."""


class LastUses:
    """Notes and writes the uses of one process. Any thread may call `note`, which takes no lock."""

    def __init__(self, graph: Graph, storage: Storage, *, idle_days: int) -> None:
        self._graph = graph
        self._storage = storage
        self._idle_days = idle_days
        self._noted: dict[int, float] = {}
        """When a use of a session was noted last."""
        self._pending: SimpleQueue[tuple[int, int]] = SimpleQueue()
        """Ids of sessions and of their users."""
        self._thread = threading.Thread(target=self._work, name="last-uses", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Write from now on, in a thread."""
        self._thread.start()

    def note(self, user_id: int, session_id: int) -> None:
        """Note that the user's session, which is authenticated, is used now. Returns at once."""
        noted, now = self._noted.get(session_id), time.monotonic()
        is_due = noted is None or now - noted >= NOTED_SECONDS
        if is_due and self._pending.qsize() < MOST_PENDING:
            if len(self._noted) >= MOST_NOTED:
                self._noted = {}
            self._noted[session_id] = now
            self._pending.put((session_id, user_id))

    def write_pending(self) -> None:
        """Write the uses that were noted. What fails is written after a later use."""
        while pending := self._take_pending():
            try:
                self._write(pending)
            except (GraphError, StorageError) as error:
                log.warning("last uses not written", sessions=len(pending), reason=str(error))

    def close(self, *, seconds: float = 2) -> None:
        """Write no more, before the stores are closed. What is pending is noted by a later use."""
        self._stopping.set()
        self._thread.join(seconds)

    def _take_pending(self) -> dict[int, int]:
        taken: dict[int, int] = {}
        with suppress(Empty):
            while len(taken) < MOST_AT_ONCE:
                session_id, user_id = self._pending.get_nowait()
                taken[session_id] = user_id
        return taken

    def _write(self, pending: Mapping[int, int]) -> None:
        """Prolong the sessions. Raises GraphError, StorageError.

        A copy in the cache keeps the end that the session had when it was read. The copy of a
        session that would have ended within the life of a copy is dropped: it would end a session
        in use. The others are read again before that.
        """
        expired_at = self._graph.sessions.set_used(list(pending), idle_days=self._idle_days)
        soon = datetime.now(UTC) + COPY_LIFE
        for session_id, at in expired_at.items():
            if at <= soon:
                self._storage.sessions.drop(pending[session_id], [session_id])

    def _work(self) -> None:
        while not self._stopping.wait(GATHER_SECONDS):
            try:
                self.write_pending()
            except Exception:  # a bug must not end the thread
                if not self._stopping.is_set():
                    log.exception("last uses not written")
