"""Makes the parts of an export, one a turn, until it is ready or has failed.

The graph has the position of the next part, which is recorded together with the part that is
stored. So after a kill the same part is made again, and nothing is lost or twice. Part and position
are the same for whoever reads them: the key of a part has the epoch of its claim.
"""

import math
from datetime import UTC, datetime, timedelta

import structlog

from graph import Graph
from graph.errors import NotFoundError
from graph.events import Event
from graph.exports import Export, Position
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.errors import FencedError, UnfinishedError
from workers.exports import sections
from workers.exports.part import Part, on_disk
from workers.exports.turn import Turn, Watched

log = structlog.get_logger()

MAX_TRIES = 5
"""Claims without a further part, outages not counted, after which the export has failed: before its
event is in quarantine, where its user would wait for nothing."""

LONGEST_MAKING = timedelta(days=6)
"""Age of an export that is given up. Its first part must live until the links end, and the sweeper
removes objects of `clearing.OBJECT_RETENTION`."""

FAILED = "export-failed"
"""The code of an export for which the code or its data is the reason."""
TOO_LONG = "took-too-long"
"""The code of an export that is not ready after LONGEST_MAKING."""
NOT_ACTIVE = "account-not-active"
"""The code of an export whose user has left or is suspended."""

LEAST_BYTES = 1_000_000
"""No part is planned smaller, however slowly S3 takes it."""

_planned_bytes: float = math.inf
"""The size of a part that S3 takes in time: halved if it did not, doubled if it did."""


def build(graph: Graph, storage: Storage, event: Event) -> None:
    """Make the next part, and record it; the last one makes the export ready.

    Does nothing for an export that has ended. Raises FencedError, UnfinishedError,
    StorageUnavailableError, GraphUnavailableError.
    """
    begun = graph.exports.begin(event.subject_id)
    if begun is None:
        return
    export, is_active = begun
    if not is_active:
        _fail(graph, event, NOT_ACTIVE)
    elif datetime.now(UTC) - export.created_at > LONGEST_MAKING:
        _fail(graph, event, TOO_LONG)
    elif event.attempts > MAX_TRIES:
        _fail(graph, event, FAILED)
    else:
        _build_part(graph, storage, event, export)


def _fail(graph: Graph, event: Event, code: str) -> None:
    if graph.exports.set_failed(event.subject_id, event, code):
        log.warning("export failed", export_id=event.subject_id, code=code)


def _build_part(graph: Graph, storage: Storage, event: Event, export: Export) -> None:
    turn = Turn(graph, event)
    with on_disk(), Part(limit_bytes=int(min(storage.exports.part_bytes, _planned_bytes))) as part:
        work = sections.Work(graph=graph, storage=storage, export=export, part=part, turn=turn)
        try:
            rest = sections.write(work, export.position)
        except NotFoundError:  # the user has left meanwhile
            _fail(graph, event, NOT_ACTIVE)
            return
        size = _store(storage, event, export, work)
    _record(graph, storage, event, export, work, rest=rest, size_bytes=size)


def _store(storage: Storage, event: Event, export: Export, work: sections.Work) -> int:
    """Store the part; returns its size in bytes. Raises FencedError, StorageUnavailableError."""
    file, size = work.part.finish()
    body = Watched(file, work.turn.go_on)
    number = len(export.parts) + 1
    try:
        storage.exports.store_part(
            export.path,
            number,
            event.epoch,
            body,
            file_name=f"photofeed-{export.id}-{number}.zip",
        )
    except Exception:  # S3's client has replaced the error of the file
        if body.error is None:
            raise
        if isinstance(body.error, StorageUnavailableError):  # the turn was too short
            _plan(max(LEAST_BYTES, size / 2))
        raise body.error from None
    _plan(2 * _planned_bytes)
    return size


def _plan(size_bytes: float) -> None:
    global _planned_bytes  # noqa: PLW0603 - of this process
    _planned_bytes = size_bytes


def _record(
    graph: Graph,
    storage: Storage,
    event: Event,
    export: Export,
    work: sections.Work,
    *,
    rest: Position | None,
    size_bytes: int,
) -> None:
    """Record the stored part. Raises UnfinishedError if there is a rest, FencedError."""
    number, missing = len(export.parts) + 1, len(work.missing)
    is_recorded = graph.exports.add_part(
        export, event, size_bytes=size_bytes, missing=missing, rest=rest
    )
    if not is_recorded:  # perhaps the export's objects have been removed before this one came
        storage.exports.remove_part(export.path, number, event.epoch)
        raise FencedError(event.id)
    log.info(
        "export ready" if rest is None else "export part",
        export_id=export.id,
        part=number,
        size_bytes=size_bytes,
        files=work.part.file_count,
        missing=missing,
    )
    if rest is not None:
        raise UnfinishedError(event.id)
