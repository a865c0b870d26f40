"""One timeline, built from the graph."""

import structlog

from graph import Graph
from graph.errors import GraphUnavailableError
from storage import Storage
from storage.errors import StorageUnavailableError
from workers import metrics

log = structlog.get_logger()

ABOVE_NOTHING = 2**53
"""Above every id: a page from here starts at the newest post."""


def rebuild(graph: Graph, storage: Storage, user_id: int) -> bool:
    """Whether the user's timeline now stands, built by this call.

    The list is put before the graph is read, so that pushes land from then on; it is written only
    if nobody has dropped it or taken the lock since. No list is built while a follow of the user's
    is being left: a page of followers read before may still be pushed. Raises
    StorageUnavailableError, GraphUnavailableError.
    """
    token = storage.timelines.begin(user_id)
    if token is None:
        return _counted("busy")
    try:
        pull = graph.posts.feed_page(user_id, before=ABOVE_NOTHING, limit=storage.timelines.cap)
    except GraphUnavailableError:
        _abort(storage, user_id, token)
        metrics.TIMELINE_REBUILDS.labels(outcome="failed").inc()
        raise
    if pull.held:
        storage.timelines.abort(user_id, token)
        return _counted("held")
    watermark = pull.post_ids[-1] if len(pull.post_ids) == storage.timelines.cap else 0
    if storage.timelines.finish(user_id, token, pull.post_ids, watermark=watermark):
        return _counted("built")
    return _counted("refused")


def _abort(storage: Storage, user_id: int, token: str) -> None:
    """Give the lock back if that is possible; else it runs out."""
    try:
        storage.timelines.abort(user_id, token)
    except StorageUnavailableError:
        log.warning("build lock left to run out", user_id=user_id)


def _counted(outcome: str) -> bool:
    metrics.TIMELINE_REBUILDS.labels(outcome=outcome).inc()
    return outcome == "built"
