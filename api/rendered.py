"""Answers made of finished JSON: bodies of posts are joined, not parsed."""

from collections.abc import Sequence

from flask import Response, json

from api.cursors import Cursor
from api.paging import link_header, signed

JSON = "application/json"


def page_body(bodies: Sequence[bytes], cursors: dict[str, str]) -> bytes:
    """A page of posts with its cursors."""
    ends = "".join(f',"{name}":{json.dumps(text)}' for name, text in cursors.items())
    return b'{"posts":[%s]%s}' % (b",".join(bodies), ends.encode())


def posts_answer(bodies: Sequence[bytes], next_id: int | None, limit: int) -> Response:
    """The answer that is one page of somebody's posts."""
    cursors = signed(next=None if next_id is None else Cursor("before", next_id))
    answer = Response(page_body(bodies, cursors), content_type=JSON)
    answer.headers.update(link_header(cursors, limit))
    return answer
