"""Following and being followed."""

from typing import Any

from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.paging import PageQuery, before, paged
from api.http.parsing import Blueprint
from api.schemas.users import PeoplePage
from api.services import follows

blueprint = Blueprint("follows", __name__, description="Following and being followed")


@blueprint.put("/v1/me/following/<id:user_id>")
@login_required
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def follow(user_id: int) -> Any:
    """Follow somebody: from now on their posts, old ones too, are in one's feed."""
    follows.follow(graph(), storage(), follower_id=viewer_id(), followee_id=user_id)


@blueprint.delete("/v1/me/following/<id:user_id>")
@login_required
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def unfollow(user_id: int) -> Any:
    """Follow somebody no longer: from now on none of their posts is in one's feed."""
    follows.unfollow(graph(), storage(), follower_id=viewer_id(), followee_id=user_id)


@blueprint.get("/v1/me/following")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PeoplePage)
def my_following(*, cursor: str | None, limit: int) -> Any:
    """Whom one follows."""
    users, next_id = graph().follows.following(
        viewer_id(), viewer_id=viewer_id(), before=before(cursor), limit=limit
    )
    return paged(next_id, limit, users=users)


@blueprint.get("/v1/me/followers")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PeoplePage)
def my_followers(*, cursor: str | None, limit: int) -> Any:
    """Who follows one."""
    users, next_id = graph().follows.followers(
        viewer_id(), viewer_id=viewer_id(), before=before(cursor), limit=limit
    )
    return paged(next_id, limit, users=users)


@blueprint.delete("/v1/me/followers/<id:user_id>")
@login_required
@blueprint.response(204)
def remove_follower(user_id: int) -> Any:
    """Be followed by somebody no longer. They are not told and may follow again."""
    follows.remove_follower(graph(), storage(), follower_id=user_id, followee_id=viewer_id())
