"""Responses made of finished JSON: the bodies of posts are joined, not parsed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, request

from api.http import context
from api.http.cursors import Cursors
from api.http.paging import link_header, link_header_for, sign_cursors
from feed.pages import Cursor, FeedPage
from feed.rendering import digest_of

JSON = "application/json"

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Added to every response that does not set them itself."""

NO_CACHE = "private, no-cache"
"""The Cache-Control of responses: for one viewer, and to be revalidated before each use."""

NO_STORE = "no-store"
"""The Cache-Control of responses with secrets, and of lists of one's devices."""

DEGRADED = "Photofeed-Degraded"
"""A header with the stores that are down: the response is correct without them."""

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
"""Bytes of the hash in an ETag. It need not resist attacks: a page has one viewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPage:
    """A page of the feed as sent, without the headers that differ for each request."""

    body: bytes
    headers: dict[str, str]
    etag: str
    """With quotes, as in the header."""


def render_feed_page(
    page: FeedPage,
    cursors: Cursors,
    *,
    path: str,
    viewer_id: int,
    limit: int,
    digests: Sequence[bytes] | None = None,
) -> RenderedPage:
    """The page for the view and for the front. `digests`: of the bodies, if they are known."""
    signed_cursors = {
        name: cursors.sign(path, viewer_id, cursor)
        for name, cursor in (("next", page.next), ("prev", page.prev))
        if cursor is not None
    }
    body = page_body(page.bodies, signed_cursors)
    etag = _etag(digests or [digest_of(json) for json in page.bodies], signed_cursors)
    link = link_header_for(path, signed_cursors, limit)
    headers = {"Cache-Control": NO_CACHE, **link, "ETag": etag}
    if page.degraded:
        headers[DEGRADED] = ", ".join(page.degraded)
    return RenderedPage(body=body, headers=headers, etag=etag)


def _etag(digests: Sequence[bytes], signed_cursors: dict[str, str]) -> str:
    """The version of a page: bodies and cursors are all that its JSON is made of."""
    version = b"".join(digests) + "".join(signed_cursors.values()).encode()
    return f'"{hashlib.blake2b(version, digest_size=ETAG_BYTES).hexdigest()}"'


def feed_response(page: FeedPage, limit: int) -> Response:
    """The page of the feed, or 304 if the request has its ETag."""
    rendered = render_feed_page(
        page,
        context.cursors(),
        path=request.path,
        viewer_id=context.viewer_id(),
        limit=limit,
    )
    response = Response(rendered.body, content_type=JSON)
    response.headers.update(rendered.headers)
    response.make_conditional(request)
    response.headers.pop("Date", None)  # the server adds it, as to every other response
    return response


def posts_response(bodies: Sequence[bytes], next_id: int | None, limit: int) -> Response:
    """A page of one author's posts."""
    cursors = sign_cursors(next=None if next_id is None else Cursor("before", next_id))
    response = Response(page_body(bodies, cursors), content_type=JSON)
    response.headers.update(link_header(cursors, limit))
    return response


def page_body(bodies: Sequence[bytes], cursors: dict[str, str]) -> bytes:
    """The JSON of a page of posts. Signed cursors need no escaping."""
    members = "".join(f',"{name}":"{text}"' for name, text in cursors.items())
    return b'{"posts":[%s]%s}' % (b",".join(bodies), members.encode())
