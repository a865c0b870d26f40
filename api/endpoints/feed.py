"""The feed: its pages, and posts into it."""

from flask import Response, request

from api.http import idempotency, limits
from api.http.auth import login_required
from api.http.context import graph, graph_pages, rebuilder, storage, viewer_id
from api.http.handover import handover_of
from api.http.openapi import raises, takes
from api.http.paging import LINK, PageQuery, read_cursor
from api.http.parsing import Blueprint
from api.http.responses import DEGRADED_DOCUMENTED, ETAG, IF_NONE_MATCH, JSON, feed_response
from api.schemas.posts import FeedPageSchema, NewPost, PostSchema
from api.services.errors import PhotoAlreadyPostedError, PhotoFailedError, PhotosNotReadyError
from api.services.posts import Draft, publish
from feed import reading
from feed.errors import FeedBusyError
from graph.errors import ClockOffError, NotFoundError

blueprint = Blueprint(
    "feed",
    __name__,
    description="The home feed: the posts of the users that you follow, and your own.",
)

_LOCATION = {
    "Location": {"description": "The path of the post.", "schema": {"type": "string"}},
}


@blueprint.get("/v1/me/feed")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, FeedPageSchema, headers={**ETAG, **LINK, **DEGRADED_DOCUMENTED})
@blueprint.alt_response(304, description="The page has the ETag of `If-None-Match`.")
@takes(IF_NONE_MATCH)
@raises(FeedBusyError)
def read_feed(*, cursor: str | None, limit: int) -> Response:
    """Returns a page of your feed, strictly newest first.

    The feed has the posts of every user that you follow, older than the follow too, and your own
    posts. `next` leads to older posts, `prev` to posts that are newer than the page. A post that
    arrives late can belong to a page that you have read already: it is shown when you read the
    feed from the top again.

    A page that is older than your timeline, or for which there is none, is read from the graph: one
    at a time, for 10 s of work a minute by default. Beyond that it is 429 `too-many-requests`.
    """
    handover = handover_of(request.environ)
    page = reading.read_page(
        graph(),
        storage(),
        rebuilder(),
        graph_pages(),
        viewer_id=viewer_id(),
        cursor=read_cursor(cursor),
        limit=limit,
        window=handover.window if handover else None,
    )
    return feed_response(page, limit)


@blueprint.post("/v1/me/feed")
@login_required
@limits.limit(limits.PUBLISHES)
@blueprint.arguments(NewPost)
@blueprint.response(201, PostSchema, headers=_LOCATION)
@blueprint.alt_response(
    200,
    schema=PostSchema,
    description="The post that an earlier request with this key made.",
    headers={**_LOCATION, **idempotency.REPLAYED_DOCUMENTED},
)
@takes(idempotency.parameter(required=True))
@raises(
    *idempotency.ERRORS,
    NotFoundError,
    PhotosNotReadyError,
    PhotoFailedError,
    PhotoAlreadyPostedError,
    ClockOffError,
)
def publish_post(draft: Draft) -> Response:
    """Publishes a post with one to ten photos.

    The photos must be yours and `ready`, and none can be in another post. 404 if a photo does not
    exist or is another user's. Quota: `publishes`.

    **Retries**: repeat the request with the same `Idempotency-Key` and body: there is one post, and
    the response is 200 with `Idempotency-Replayed: true`. A key is valid for 24 hours.
    """
    post = publish(graph(), storage(), draft, author_id=viewer_id(), key=idempotency.required_key())
    response = Response(post.body, status=200 if post.replayed else 201, content_type=JSON)
    response.headers["Location"] = f"/v1/posts/{post.post_id}"
    if post.replayed:
        response.headers.update(idempotency.REPLAYED)
    return response
