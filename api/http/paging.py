"""Pages: `limit` and `cursor` in, `next`, `prev` and a Link header out."""

from typing import Any

from flask import request
from marshmallow import Schema, fields, validate

from api.http import context
from api.http.cursors import InvalidCursorError
from feed.pages import Cursor
from graph.ids import MAX_ID

LINK = {
    "Link": {
        "description": "The cursors of the body as links (RFC 8288). Absent if there are none.",
        "schema": {
            "type": "string",
            "examples": ['</v1/me/followers?limit=20&cursor=AAABdwAAAAAA7pUq1vC4>; rel="next"'],
        },
    }
}
"""The header of a page in the API document."""


class PageQuery(Schema):
    """The query of a page."""

    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(1, 100),
        metadata={"description": "The most items in the page.", "examples": [20]},
    )
    cursor = fields.String(
        load_default=None,
        metadata={"description": "`next` or `prev` of an earlier page of this path, unchanged."},
    )


def read_cursor(text: str | None) -> Cursor | None:
    """The cursor that was signed for this viewer and this very path. Raises InvalidCursorError."""
    if text is None:
        return None
    return context.parts().cursors.read(request.path, context.viewer_id(), text)


def before(text: str | None) -> int:
    """Where a page that only goes downward starts, exclusive. Raises InvalidCursorError."""
    cursor = read_cursor(text)
    if cursor is None:
        return MAX_ID
    if cursor.direction != "before":
        raise InvalidCursorError
    return cursor.id


def signed(**cursors: Cursor | None) -> dict[str, str]:
    """Those of `next` and `prev` that there are, as text for this viewer and path."""
    sign = context.parts().cursors.sign
    return {
        name: sign(request.path, context.viewer_id(), cursor)
        for name, cursor in cursors.items()
        if cursor is not None
    }


def link_header(cursors: dict[str, str], limit: int) -> dict[str, str]:
    """The RFC 8288 header that says the same as the body."""
    return links(request.path, cursors, limit)


def links(path: str, cursors: dict[str, str], limit: int) -> dict[str, str]:
    """The same of any path. Cursors are of letters that need no escaping."""
    rels = [f'<{path}?limit={limit}&cursor={text}>; rel="{name}"' for name, text in cursors.items()]
    return {"Link": ", ".join(rels)} if rels else {}


def paged(next_id: int | None, limit: int, **items: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A page's body and its Link header; no `next` at the end."""
    cursors = signed(next=None if next_id is None else Cursor("before", next_id))
    return {**items, **cursors}, link_header(cursors, limit)
