"""Exports of one's own data: asked for here, made by workers, downloaded from S3."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from graph import Graph
from graph.exports import Export
from graph.ids import with_new_id
from storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadablePart:
    """A part of a ready export, and the link that downloads it until the export expires."""

    number: int
    url: str
    size_bytes: int


def ask(graph: Graph, storage: Storage, user_id: int, *, most: int) -> Export:
    """A new export, which a worker makes. A user may ask for `most` in 24 hours.

    Raises ExportInProgressError, ExportLimitReachedError, NotFoundError.
    """
    path = secrets.token_urlsafe(24)
    created = with_new_id(
        lambda export_id: graph.exports.create(
            export_id=export_id, user_id=user_id, path=path, most=most
        )
    )
    storage.queues.wake(created.event)
    return created.export


def downloadable_parts(
    storage: Storage, export: Export, *, after: int, limit: int
) -> tuple[Sequence[DownloadablePart], int | None]:
    """The parts above the number `after`, with links, and `after` of the next page.

    None at the end. An export that is not ready has no parts.
    """
    if export.state != "ready":
        return (), None
    parts = [
        DownloadablePart(
            number=part.number,
            url=storage.exports.link(
                export.path, part.number, part.epoch, seconds=max(1, int(export.left_seconds))
            ),
            size_bytes=part.size_bytes,
        )
        for part in export.parts[after : after + limit]
    ]
    return parts, after + limit if len(export.parts) > after + limit else None
