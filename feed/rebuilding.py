"""One timeline, built from the graph."""

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from graph.ids import MAX_ID
from observing import metrics
from storage import Storage
from storage.errors import StorageUnavailableError

log = structlog.get_logger()


def rebuild(graph: Graph, storage: Storage, user_id: int) -> bool:
    """Whether the user's timeline now stands, built by this call.

    The list is put before the graph is read, so that pushes land from then on; it is written only
    if nobody has dropped it or taken the lock since. No list is built while a follow of the user's
    is being left: a page of followers read before may still be pushed. Raises
    StorageUnavailableError, GraphUnavailableError.
    """
    try:
        outcome = _outcome(graph, storage, user_id)
    except (StorageUnavailableError, GraphUnavailableError):
        metrics.TIMELINE_REBUILDS.labels(outcome="failed").inc()
        raise
    metrics.TIMELINE_REBUILDS.labels(outcome=outcome).inc()
    return outcome == "built"


def _outcome(graph: Graph, storage: Storage, user_id: int) -> str:
    """In one word: built, busy (another builds), held (being left) or refused (dropped since)."""
    token = storage.timelines.begin(user_id)
    if token is None:
        return "busy"
    try:
        pull = graph.posts.feed_page(user_id, before=MAX_ID, limit=storage.timelines.cap)
    except GraphUnavailableError:
        _abort(storage, user_id, token)
        raise
    if pull.held:
        storage.timelines.abort(user_id, token)
        return "held"
    watermark = pull.post_ids[-1] if len(pull.post_ids) == storage.timelines.cap else 0
    built = storage.timelines.finish(user_id, token, pull.post_ids, watermark=watermark)
    return "built" if built else "refused"


def _abort(storage: Storage, user_id: int, token: str) -> None:
    """Give the lock back if that is possible; else it runs out."""
    try:
        storage.timelines.abort(user_id, token)
    except StorageUnavailableError:
        log.warning("build lock left to run out", user_id=user_id)
