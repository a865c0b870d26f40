"""The feed: read it, and post into it."""

from flask import Response, request

from api.http import idempotency, limits
from api.http.auth import login_required
from api.http.context import graph, parts, storage, viewer_id
from api.http.handover import handover_of
from api.http.paging import PageQuery, read_cursor
from api.http.parsing import Blueprint
from api.http.responses import DEGRADED_DOCUMENTED, JSON, feed_answer
from api.schemas.posts import FeedSchema, NewPost, PostSchema
from api.services.posts import Draft, publish
from feed import reading

blueprint = Blueprint("feed", __name__, description="The feed")

_DOCUMENTED = {
    "ETag": {
        "description": "Send it as `If-None-Match`: while the page is the same, 304 and no body.",
        "schema": {"type": "string"},
    },
    **DEGRADED_DOCUMENTED,
}


@blueprint.get("/v1/me/feed")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, FeedSchema, headers=_DOCUMENTED)
@blueprint.alt_response(304, description="The page is the one whose ETag was sent")
def read_feed(*, cursor: str | None, limit: int) -> Response:
    """One's feed, strictly newest first: the posts of everyone one follows, and one's own."""
    handover = handover_of(request.environ)
    page = reading.page(
        graph(),
        storage(),
        parts().rebuilder,
        viewer_id=viewer_id(),
        cursor=read_cursor(cursor),
        limit=limit,
        window=handover.window if handover else None,
    )
    return feed_answer(page, limit)


@blueprint.post("/v1/me/feed")
@login_required
@limits.limited(limits.PUBLISHES)
@blueprint.doc(parameters=[idempotency.parameter(required=True)])
@blueprint.arguments(NewPost)
@blueprint.response(201, PostSchema)
@blueprint.alt_response(200, schema=PostSchema, description="The key's first post again")
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(410, "GONE")
def post_to_feed(draft: Draft) -> Response:
    """Post photos. Try again with the same key as often as needed: it is one post."""
    post = publish(graph(), storage(), draft, author_id=viewer_id(), key=idempotency.required_key())
    answer = Response(post.body, status=200 if post.replayed else 201, content_type=JSON)
    answer.headers["Location"] = f"/v1/posts/{post.post_id}"
    if post.replayed:
        answer.headers.update(idempotency.REPLAYED)
    return answer
