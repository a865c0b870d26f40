"""Follows between users."""

from typing import Any

from api.http import limits
from api.http.auth import login_required
from api.http.context import graph, graph_pages, storage, viewer_id
from api.http.openapi import raises
from api.http.paging import LINK, PageQuery, page, upper_bound
from api.http.parsing import Blueprint
from api.schemas.users import UserPage
from api.services import follows
from api.services.errors import CannotFollowYourselfError
from graph.errors import FollowLimitReachedError, NotFoundError

blueprint = Blueprint(
    "follows", __name__, description="Follows: the users that you follow, and your followers."
)


@blueprint.put("/v1/me/following/<id:user_id>")
@login_required
@limits.limit(limits.FOLLOWS)
@blueprint.response(204)
@raises(NotFoundError, CannotFollowYourselfError, FollowLimitReachedError)
def follow_user(user_id: int) -> Any:
    """Follows a user.

    The user's posts, older ones too, are in your feed from now on. You can follow a
    bounded number of users, 7,500 by default. Quota: `follows`.

    **Retries**: can be repeated; also 204 if you follow the user already.
    """
    follows.follow(graph(), storage(), follower_id=viewer_id(), followee_id=user_id)


@blueprint.delete("/v1/me/following/<id:user_id>")
@login_required
@limits.limit(limits.FOLLOWS)
@blueprint.response(204)
@raises(NotFoundError)
def unfollow_user(user_id: int) -> Any:
    """Ends your follow of a user.

    After the response none of the user's posts is in your feed. Quota: `follows`.

    **Retries**: can be repeated; also 204 if you do not follow the user. After a 503, repeat it
    until it is 204.
    """
    follows.unfollow(graph(), storage(), follower_id=viewer_id(), followee_id=user_id)


@blueprint.get("/v1/me/following")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, UserPage, headers=LINK)
def list_following(*, cursor: str | None, limit: int) -> Any:
    """Lists the users that you follow, newest account first.

    The order is by user id, descending, and not by the time of the follow.
    """
    with graph_pages().counted(viewer_id()):
        users, next_id = graph().follows.following(
            viewer_id(), viewer_id=viewer_id(), before=upper_bound(cursor), limit=limit
        )
    return page(next_id, limit, users=users)


@blueprint.get("/v1/me/followers")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, UserPage, headers=LINK)
def list_followers(*, cursor: str | None, limit: int) -> Any:
    """Lists your followers, newest account first.

    The order is by user id, descending, and not by the time of the follow.
    """
    with graph_pages().counted(viewer_id()):
        users, next_id = graph().follows.followers(
            viewer_id(), viewer_id=viewer_id(), before=upper_bound(cursor), limit=limit
        )
    return page(next_id, limit, users=users)


@blueprint.delete("/v1/me/followers/<id:user_id>")
@login_required
@limits.limit(limits.FOLLOWS)
@blueprint.response(204)
def remove_follower(user_id: int) -> Any:
    """Ends a user's follow of you.

    The user is not notified and can follow you again; block the user to prevent it. Quota:
    `follows`.

    **Retries**: can be repeated; also 204 if the user does not follow you. After a 503, repeat it
    until it is 204.
    """
    follows.remove_follower(graph(), storage(), follower_id=user_id, followee_id=viewer_id())
