"""Paging: requests have `limit` and `cursor`, responses `next`, `prev` and a Link header."""

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
    """The cursor, if it was signed for this viewer and path. Raises InvalidCursorError."""
    if text is None:
        return None
    return context.cursors().read(request.path, context.viewer_id(), text)


def upper_bound(text: str | None) -> int:
    """The id below which the page begins, in a list that has only `next`.

    Raises InvalidCursorError, also for a `prev` cursor.
    """
    cursor = read_cursor(text)
    if cursor is None:
        return MAX_ID
    if cursor.direction != "before":
        raise InvalidCursorError
    return cursor.id


def lower_bound(text: str | None) -> int:
    """The number above which the page begins, in a list that goes up and has only `next`.

    Raises InvalidCursorError, also for a cursor that goes down.
    """
    cursor = read_cursor(text)
    if cursor is None:
        return 0
    if cursor.direction != "after":
        raise InvalidCursorError
    return cursor.id


def sign_cursors(**cursors: Cursor | None) -> dict[str, str]:
    """The cursors that are not None, signed for this viewer and path."""
    sign = context.cursors().sign
    return {
        name: sign(request.path, context.viewer_id(), cursor)
        for name, cursor in cursors.items()
        if cursor is not None
    }


def link_header(cursors: dict[str, str], limit: int) -> dict[str, str]:
    """The Link header (RFC 8288) of this path with the body's cursors; empty without any."""
    return link_header_for(request.path, cursors, limit)


def link_header_for(path: str, cursors: dict[str, str], limit: int) -> dict[str, str]:
    """The Link header of any path. Signed cursors need no escaping."""
    links = [
        f'<{path}?limit={limit}&cursor={text}>; rel="{name}"' for name, text in cursors.items()
    ]
    return {"Link": ", ".join(links)} if links else {}


def page(next_id: int | None, limit: int, **items: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the Link header of a page; `next` is absent if `next_id` is None."""
    cursors = sign_cursors(next=None if next_id is None else Cursor("before", next_id))
    return {**items, **cursors}, link_header(cursors, limit)
