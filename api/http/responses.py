"""Answers made of finished JSON: bodies of posts are joined, not parsed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, request

from api.http import context
from api.http.cursors import Cursors
from api.http.paging import link_header, links, signed
from feed.pages import Cursor, FeedPage

JSON = "application/json"

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer, unless it has others of its own."""

ALWAYS_ASK = "private, no-cache"
"""A feed is its viewer's alone, and another one the next time."""

DEGRADED = "Photofeed-Degraded"
"""Names the stores without which a page was answered; absent when all is well."""

DEGRADED_DOCUMENTED = {
    DEGRADED: {
        "description": "The store that is down. The response is correct all the same. `graph`: it "
        "comes from the cache; writes, and feeds that are not cached, are 503 now. `cache`: it "
        "comes from the graph, more slowly. Absent while both are up.",
        "schema": {"type": "string", "enum": ["graph", "cache"]},
    },
}
"""DEGRADED in the API document."""

ETAG = {
    "ETag": {
        "description": "The version of the page. Send it as `If-None-Match` with the next request.",
        "schema": {"type": "string", "examples": ['"1f0c7a9d4be2836510fe6a77"']},
    }
}
"""The header of a page of the feed in the API document."""

IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "schema": {"type": "string", "examples": ['"1f0c7a9d4be2836510fe6a77"']},
    "description": "The `ETag` of a page that you have: 304 without a body if it has not changed.",
}
"""A parameter in the API document."""

ETAG_BYTES = 12
"""Of a SHA-256: nobody gains by two pages of theirs looking alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A page of a feed as it is sent, but for what each request has of its own."""

    body: bytes
    headers: dict[str, str]
    etag: str
    """With its quotes, as in the header."""


def feed_page(
    page: FeedPage, cursors: Cursors, *, path: str, viewer_id: int, limit: int
) -> Rendered:
    """The page, for the view and for the front before it."""
    ends = {
        name: cursors.sign(path, viewer_id, cursor)
        for name, cursor in (("next", page.next), ("prev", page.prev))
        if cursor is not None
    }
    body = page_body(page.bodies, ends)
    etag = f'"{hashlib.sha256(body).hexdigest()[: 2 * ETAG_BYTES]}"'
    headers = {"Cache-Control": ALWAYS_ASK, **links(path, ends, limit), "ETag": etag}
    if page.degraded:
        headers[DEGRADED] = ", ".join(page.degraded)
    return Rendered(body=body, headers=headers, etag=etag)


def feed_answer(page: FeedPage, limit: int) -> Response:
    """The view's answer: the page, or 304 to a client that has it."""
    rendered = feed_page(
        page,
        context.parts().cursors,
        path=request.path,
        viewer_id=context.viewer_id(),
        limit=limit,
    )
    answer = Response(rendered.body, content_type=JSON)
    answer.headers.update(rendered.headers)
    answer.make_conditional(request)
    answer.headers.pop("Date", None)  # the server's to add, as on every other answer
    return answer


def page_body(bodies: Sequence[bytes], cursors: dict[str, str]) -> bytes:
    """A page of posts with its cursors."""
    ends = "".join(f',"{name}":"{text}"' for name, text in cursors.items())  # none needs escaping
    return b'{"posts":[%s]%s}' % (b",".join(bodies), ends.encode())


def posts_answer(bodies: Sequence[bytes], next_id: int | None, limit: int) -> Response:
    """The answer that is one page of somebody's posts."""
    cursors = signed(next=None if next_id is None else Cursor("before", next_id))
    answer = Response(page_body(bodies, cursors), content_type=JSON)
    answer.headers.update(link_header(cursors, limit))
    return answer
