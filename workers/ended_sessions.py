"""Clears sessions that a sign-in or a password change has ended."""

import time

from graph import Graph
from graph.events import Event
from graph.ids import MAX_ID, ms_of
from storage import Storage, changes
from workers.errors import FencedError, UnfinishedError
from workers.fan_out import TURN_SECONDS

PAGE = 1_000
"""Sessions that are cleared by one statement."""
CLOCKS_MS = 60_000
"""How long before the time of the event's id a session may have ended that the event is for: the id
is drawn by a host, whose clock may be off, before the statement runs."""


def clear(graph: Graph, storage: Storage, event: Event) -> None:
    """Drop the copies of the user's ended sessions; delete those that all ended at once.

    The request drops the copies too, but may have died. Goes from the event's cursor (0: not begun)
    to older sessions. A session is deleted when its copies are dropped everywhere, so that a repeat
    finds them. Can be repeated. Raises FencedError, UnfinishedError,
    StorageUnavailableError, GraphUnavailableError.
    """
    user_id, before = event.subject_id, event.cursor or MAX_ID
    since_ms = ms_of(event.id) - CLOCKS_MS
    end = time.monotonic() + TURN_SECONDS
    while session_ids := graph.sessions.ended_ids(
        user_id, before=before, limit=PAGE, since_ms=since_ms
    ):
        storage.sessions.drop(user_id, session_ids)
        storage.changes.announce([changes.user(user_id)])
        graph.sessions.delete_outdated(user_id, session_ids)
        before = session_ids[-1]
        if len(session_ids) < PAGE:
            break
        if not graph.events.advance(event.id, event.epoch, before):
            raise FencedError(event.id)
        if time.monotonic() > end:
            raise UnfinishedError(event.id)
