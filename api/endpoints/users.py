"""Users: their profiles, posts, followers and follows."""

from typing import Any

from flask import Response

from api.http.auth import login_required
from api.http.context import graph, graph_pages, storage, viewer_id
from api.http.openapi import raises
from api.http.paging import LINK, PageQuery, page, upper_bound
from api.http.parsing import Blueprint
from api.http.responses import posts_response
from api.schemas.posts import PostPage
from api.schemas.users import ProfileSchema, UsernameQuery, UserPage
from api.services.profiles import posts_of
from graph.errors import NotFoundError

blueprint = Blueprint(
    "users", __name__, description="Users: their profiles, posts, followers and follows."
)


@blueprint.get("/v1/users")
@login_required
@blueprint.arguments(UsernameQuery, location="query", as_kwargs=True)
@blueprint.response(200, ProfileSchema)
@raises(NotFoundError)
def find_user(*, username: str) -> Any:
    """Returns the profile of the user with a username.

    Upper and lower case are the same. 404 if no user has the name, or a block exists between you.
    """
    return graph().users.profile_by_username(username, viewer_id=viewer_id())


@blueprint.get("/v1/users/<id:user_id>")
@login_required
@blueprint.response(200, ProfileSchema)
@raises(NotFoundError)
def get_user(user_id: int) -> Any:
    """Returns the profile of a user.

    404 if the user does not exist, or a block exists between you.
    """
    return graph().users.profile(user_id, viewer_id=viewer_id())


@blueprint.get("/v1/users/<id:user_id>/posts")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PostPage, headers=LINK)
@raises(NotFoundError)
def list_user_posts(user_id: int, *, cursor: str | None, limit: int) -> Response:
    """Lists the posts of a user, newest first.

    404 if the user does not exist, or a block exists between you.
    """
    with graph_pages().counted(viewer_id()):
        posts, next_id = posts_of(
            graph(),
            storage(),
            user_id,
            viewer_id=viewer_id(),
            before=upper_bound(cursor),
            limit=limit,
        )
    return posts_response(posts, next_id, limit)


@blueprint.get("/v1/users/<id:user_id>/followers")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, UserPage, headers=LINK)
@raises(NotFoundError)
def list_user_followers(user_id: int, *, cursor: str | None, limit: int) -> Any:
    """Lists the followers of a user, newest account first.

    The order is by user id, descending. Users that you may not see are left out.
    """
    with graph_pages().counted(viewer_id()):
        graph().users.require_visible(user_id, viewer_id=viewer_id())
        users, next_id = graph().follows.followers(
            user_id, viewer_id=viewer_id(), before=upper_bound(cursor), limit=limit
        )
    return page(next_id, limit, users=users)


@blueprint.get("/v1/users/<id:user_id>/following")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, UserPage, headers=LINK)
@raises(NotFoundError)
def list_user_following(user_id: int, *, cursor: str | None, limit: int) -> Any:
    """Lists the users that a user follows, newest account first.

    The order is by user id, descending. Users that you may not see are left out.
    """
    with graph_pages().counted(viewer_id()):
        graph().users.require_visible(user_id, viewer_id=viewer_id())
        users, next_id = graph().follows.following(
            user_id, viewer_id=viewer_id(), before=upper_bound(cursor), limit=limit
        )
    return page(next_id, limit, users=users)
