"""Single posts."""

from typing import Any

from flask import Response

from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.parsing import Blueprint
from api.http.responses import JSON
from api.schemas.posts import PostSchema
from api.services import posts
from feed.rendering import render

blueprint = Blueprint("posts", __name__, description="Single posts")


@blueprint.get("/v1/posts/<id:post_id>")
@login_required
@blueprint.response(200, PostSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def post(post_id: int) -> Response:
    """A post."""
    found = graph().posts.by_id(post_id, viewer_id=viewer_id())
    return Response(render(found, storage()), content_type=JSON)


@blueprint.delete("/v1/posts/<id:post_id>")
@login_required
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def delete(post_id: int) -> Any:
    """Take one's post back: from now on nobody is shown it; its files go within 90 s."""
    posts.delete(graph(), storage(), post_id, author_id=viewer_id())
