"""Builds one timeline from the graph."""

from typing import Literal

import structlog

from graph import Graph
from graph.errors import GraphTimeoutError, GraphUnavailableError
from graph.ids import MAX_ID
from observing import metrics
from storage import Storage
from storage.errors import StorageUnavailableError

log = structlog.get_logger()


RebuildOutcome = Literal["built", "busy", "held", "postponed", "refused"]
"""How a rebuild ended. `busy`: another caller builds the list. `held`: a follow of the user has
ended, and the event for it is not done. `postponed`: the last one of the user ran out of time.
`refused`: the list was dropped or the lock lost."""


def rebuild(graph: Graph, storage: Storage, user_id: int) -> bool:
    """Whether this call built the user's timeline.

    An empty list is created before the graph is read, so that pushes reach it from then on. The
    result is written only if the list was not dropped and the lock not lost meanwhile. No list is
    built while the user is leaving somebody: a page of followers read before the leaving can still
    be pushed. After a build that ran out of time none is begun for a while, as each costs the graph
    five seconds. Raises StorageUnavailableError, GraphUnavailableError.
    """
    try:
        outcome = _build(graph, storage, user_id)
    except (StorageUnavailableError, GraphUnavailableError):
        metrics.TIMELINE_REBUILDS.labels(outcome="failed").inc()
        raise
    metrics.TIMELINE_REBUILDS.labels(outcome=outcome).inc()
    return outcome == "built"


def _build(graph: Graph, storage: Storage, user_id: int) -> RebuildOutcome:
    if storage.timelines.is_postponed(user_id):
        return "postponed"
    token = storage.timelines.begin(user_id)
    if token is None:
        return "busy"
    try:
        pull = graph.posts.feed_page(user_id, before=MAX_ID, limit=storage.timelines.cap)
    except GraphUnavailableError as error:
        _release_lock(storage, user_id, token)
        if isinstance(error, GraphTimeoutError):
            storage.timelines.postpone(user_id)
        raise
    if pull.unfollow_pending:
        storage.timelines.abort(user_id, token)
        return "held"
    watermark = pull.post_ids[-1] if len(pull.post_ids) == storage.timelines.cap else 0
    built = storage.timelines.finish(user_id, token, pull.post_ids, watermark=watermark)
    return "built" if built else "refused"


def _release_lock(storage: Storage, user_id: int, token: str) -> None:
    """Release the lock, best effort: without the cache it expires."""
    try:
        storage.timelines.abort(user_id, token)
    except StorageUnavailableError:
        log.warning("build lock left to run out", user_id=user_id)
