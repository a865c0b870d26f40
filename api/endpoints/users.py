"""People: their pages, their posts, whom they follow."""

from typing import Any

from flask import Response

from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.paging import PageQuery, before, paged
from api.http.parsing import Blueprint
from api.http.responses import posts_answer
from api.schemas.posts import PostPage
from api.schemas.users import PeoplePage, ProfileSchema, UsernameQuery
from api.services.profiles import posts_of

blueprint = Blueprint("users", __name__, description="People")


@blueprint.get("/v1/users")
@login_required
@blueprint.arguments(UsernameQuery, location="query", as_kwargs=True)
@blueprint.response(200, ProfileSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def user_by_username(*, username: str) -> Any:
    """The user of this name."""
    return graph().users.profile_by_username(username, viewer_id=viewer_id())


@blueprint.get("/v1/users/<id:user_id>")
@login_required
@blueprint.response(200, ProfileSchema)
@blueprint.alt_response(404, "NOT_FOUND")
def user(user_id: int) -> Any:
    """A user's page."""
    return graph().users.profile(user_id, viewer_id=viewer_id())


@blueprint.get("/v1/users/<id:user_id>/posts")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PostPage)
@blueprint.alt_response(404, "NOT_FOUND")
def posts_of_user(user_id: int, *, cursor: str | None, limit: int) -> Response:
    """A user's posts, newest first."""
    posts, next_id = posts_of(
        graph(), storage(), user_id, viewer_id=viewer_id(), before=before(cursor), limit=limit
    )
    return posts_answer(posts, next_id, limit)


@blueprint.get("/v1/users/<id:user_id>/followers")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PeoplePage)
@blueprint.alt_response(404, "NOT_FOUND")
def followers_of_user(user_id: int, *, cursor: str | None, limit: int) -> Any:
    """A user's followers."""
    graph().users.require_visible(user_id, viewer_id=viewer_id())
    users, next_id = graph().follows.followers(
        user_id, viewer_id=viewer_id(), before=before(cursor), limit=limit
    )
    return paged(next_id, limit, users=users)


@blueprint.get("/v1/users/<id:user_id>/following")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PeoplePage)
@blueprint.alt_response(404, "NOT_FOUND")
def following_of_user(user_id: int, *, cursor: str | None, limit: int) -> Any:
    """Whom a user follows."""
    graph().users.require_visible(user_id, viewer_id=viewer_id())
    users, next_id = graph().follows.following(
        user_id, viewer_id=viewer_id(), before=before(cursor), limit=limit
    )
    return paged(next_id, limit, users=users)
