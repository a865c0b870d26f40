"""Exports of one's own data."""

from typing import Any

from marshmallow import fields, validate

from api.http import limits, paging, security_events
from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.errors import EXPORT_RETRY_SECONDS
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas import examples
from api.schemas.exports import ExportList, ExportSchema, NewExportSchema
from api.services import exports
from feed.pages import Cursor
from graph.errors import ExportInProgressError, ExportLimitReachedError, NotFoundError
from graph.exports import Export

blueprint = Blueprint(
    "exports", __name__, description="A copy of all your data, in zip files, for a day."
)

_LOCATION = {
    "Location": {
        "description": "Where the export is.",
        "schema": {"type": "string", "examples": [f"/v1/me/exports/{examples.EXPORT_ID}"]},
    }
}

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the next request, while the export is not finished.",
        "schema": {"type": "integer"},
    }
}


class PartsQuery(paging.PageQuery):
    """The query of a page of parts."""

    limit = fields.Integer(
        load_default=100,
        validate=validate.Range(1, 100),
        metadata={"description": "The most parts in the page.", "examples": [100]},
    )


@blueprint.post("/v1/me/exports")
@login_required
@blueprint.response(202, NewExportSchema, headers=_LOCATION)
@raises(ExportInProgressError, ExportLimitReachedError)
def create_export() -> Any:
    """Asks for an export of all your data.

    Workers make it: your profile, whom you follow, who follows you, your blocks, your posts, and
    your photos as you uploaded them. Call `getExport` until it is `ready`; that takes seconds to
    hours. A user has one unfinished export at a time, and can ask for 3 in 24 hours by default;
    those that failed do not count.

    **Retries**: can be repeated; 409 with the `Location` of the export that is not finished.
    """
    export = exports.ask(graph(), storage(), viewer_id(), most=limits.daily_exports().quota)
    security_events.record("export-asked", viewer_id())
    return export, {"Location": f"/v1/me/exports/{export.id}"}


@blueprint.get("/v1/me/exports")
@login_required
@blueprint.response(200, ExportList)
def list_exports() -> Any:
    """Lists your exports, newest first, at most 50.

    Failed and expired ones are listed for a week.
    """
    return {"exports": [_summary_of(export) for export in graph().exports.of_user(viewer_id())]}


@blueprint.get("/v1/me/exports/<id:export_id>")
@login_required
@limits.limit(limits.EXPORT_LINKS)
@blueprint.arguments(PartsQuery, location="query", as_kwargs=True)
@blueprint.response(200, ExportSchema, headers=_RETRY_AFTER | paging.LINK)
@raises(NotFoundError)
def get_export(export_id: int, *, cursor: str | None, limit: int) -> Any:
    """Returns one of your exports, and the links to its parts.

    Each part is a zip file that can be opened alone. The links are valid until `expires_at`, a day
    after the export became `ready`; each response has links of its own. Then the files are removed.
    Quota: `export-links`.
    """
    export = graph().exports.by_id(export_id, user_id=viewer_id())
    parts, next_number = exports.downloadable_parts(
        storage(), export, after=paging.lower_bound(cursor), limit=limit
    )
    return _page_of(export, parts, next_number, limit)


def _page_of(export: Export, parts: Any, next_number: int | None, limit: int) -> Any:
    """The body of a page of parts, and its headers."""
    cursors = paging.sign_cursors(
        next=None if next_number is None else Cursor("after", next_number)
    )
    is_unfinished = export.state in {"waiting", "running"}
    headers = {"Retry-After": str(EXPORT_RETRY_SECONDS)} if is_unfinished else {}
    body = {**_summary_of(export), "parts": parts, **cursors}
    return body, headers | paging.link_header(cursors, limit)


def _summary_of(export: Export) -> dict[str, Any]:
    """The fields that have a value in the export's present state."""
    optional = {
        "failure_code": export.failure_code,
        "expires_at": export.state_until if export.state == "ready" else None,
    }
    return {
        "id": export.id,
        "state": export.state,
        "created_at": export.created_at,
        **{name: value for name, value in optional.items() if value is not None},
        "part_count": export.part_count,
        "size_bytes": export.size_bytes,
        "missing_count": export.missing_count,
    }
