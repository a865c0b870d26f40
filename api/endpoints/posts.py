"""Single posts."""

from typing import Any

from flask import Response

from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.http.responses import JSON
from api.schemas.posts import PostSchema
from api.services import posts
from feed.rendering import render
from graph.errors import NotFoundError

blueprint = Blueprint("posts", __name__, description="Single posts.")


@blueprint.get("/v1/posts/<id:post_id>")
@login_required
@blueprint.response(200, PostSchema)
@raises(NotFoundError)
def get_post(post_id: int) -> Response:
    """Returns a post.

    404 if the post does not exist, is deleted or hidden by operators, or a block exists between you
    and its author.
    """
    post = graph().posts.by_id(post_id, viewer_id=viewer_id())
    return Response(render(post, storage()), content_type=JSON)


@blueprint.delete("/v1/posts/<id:post_id>")
@login_required
@blueprint.response(204)
@raises(NotFoundError)
def delete_post(post_id: int) -> Any:
    """Deletes one of your posts.

    After the response no feed shows the post. The files of its photos are removed within 90 s.

    **Retries**: can be repeated; 204 again for 24 hours. After a 503, repeat it until it is 204.
    """
    posts.delete(graph(), storage(), post_id, author_id=viewer_id())
