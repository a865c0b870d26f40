"""Ends exports whose time is over, and removes their objects. Every step can be repeated."""

import time
from datetime import UTC, datetime, timedelta

import structlog

from graph import Graph
from graph.exports import NO_PROGRESS
from storage import Storage
from storage.errors import StorageRefusedError

log = structlog.get_logger()

PAGE = 100
"""Exports that one statement ends or lists."""

OBJECT_RETENTION = timedelta(days=8)
"""Age of an object that no export needs. It is longer than an export can be made
(`building.LONGEST_MAKING`) and then downloaded."""

WALK = "exports"
"""The name of the slow walk over all objects of exports."""


def expire_exports(graph: Graph, storage: Storage, *, until: float) -> int:
    """End overdue exports and remove due objects until none is left or `until`, a monotonic time.

    Returns how many exports were worked on. Raises GraphUnavailableError, StorageUnavailableError.
    """
    total = 0
    while time.monotonic() < until:
        ended = _end_states(graph)
        removed = _remove_objects(graph, storage, until)
        total += ended + removed
        if ended < PAGE and removed < PAGE:
            break
    return total


def _end_states(graph: Graph) -> int:
    """End the states of a page of overdue exports; returns how many. Logs what has failed."""
    ended, failed_ids = graph.exports.expire(PAGE)
    for export_id in failed_ids:
        log.warning("export failed", export_id=export_id, code=NO_PROGRESS)
    return ended


def remove_of_user(graph: Graph, storage: Storage, user_id: int, limit: int) -> bool:
    """Remove up to `limit` exports of a user who is being deleted; returns whether there were some.

    The objects go first, so a repeat finds them. Raises as above.
    """
    exports = graph.exports.of_user(user_id, limit)
    for export in exports:
        storage.exports.remove(export.path)
    graph.exports.delete(exports)
    return bool(exports)


def reconcile_objects(storage: Storage, *, until: float) -> int:
    """Remove old objects that no export needs; returns how many. It is slow, bounded by `until`.

    This finds what a worker stored after its export was cleared, before it was killed. Raises
    StorageUnavailableError.
    """
    older_than = datetime.now(UTC) - OBJECT_RETENTION
    return storage.sweep_positions.walk(
        WALK, lambda key: storage.exports.sweep(older_than, after_key=key), until=until
    )


def _remove_objects(graph: Graph, storage: Storage, until: float) -> int:
    """Remove the objects of a page of exports; returns how many it has done by `until`.

    An export of which S3 refuses to remove an object is due again later, and delays no other.
    """
    done = 0
    for export_id, path in graph.exports.with_objects(PAGE).items():
        if done and time.monotonic() > until:
            break
        graph.exports.set_without_objects(
            export_id, is_removed=_is_removed(storage, export_id, path)
        )
        done += 1
    return done


def _is_removed(storage: Storage, export_id: int, path: str) -> bool:
    try:
        storage.exports.remove(path)
    except StorageRefusedError as error:
        log.error("objects not removed", export_id=export_id, error=str(error))  # noqa: TRY400
        return False
    return True
