"""Blocks between users."""

from typing import Any

from api.http import limits
from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.openapi import raises
from api.http.paging import LINK, PageQuery, page, upper_bound
from api.http.parsing import Blueprint
from api.schemas.users import UserPage
from api.services import blocks
from api.services.errors import CannotBlockYourselfError
from graph.errors import NotFoundError

blueprint = Blueprint(
    "blocks",
    __name__,
    description="Blocks. Two users with a block between them do not see each other.",
)


@blueprint.put("/v1/me/blocks/<id:user_id>")
@login_required
@limits.limit(limits.FOLLOWS)
@blueprint.response(204)
@raises(NotFoundError, CannotBlockYourselfError)
def block_user(user_id: int) -> Any:
    """Blocks a user.

    Neither of the two sees the other or the other's posts any more, and both follows end, before
    the response is sent. The user is not notified. Quota: `follows`.

    **Retries**: can be repeated; also 204 if the block exists.
    """
    blocks.block(graph(), storage(), blocker_id=viewer_id(), blocked_id=user_id)


@blueprint.delete("/v1/me/blocks/<id:user_id>")
@login_required
@limits.limit(limits.FOLLOWS)
@blueprint.response(204)
def unblock_user(user_id: int) -> Any:
    """Ends a block.

    The follows that the block ended do not come back. Quota: `follows`.

    **Retries**: can be repeated; also 204 if there is no block.
    """
    graph().blocks.delete(blocker_id=viewer_id(), blocked_id=user_id)


@blueprint.get("/v1/me/blocks")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, UserPage, headers=LINK)
def list_blocks(*, cursor: str | None, limit: int) -> Any:
    """Lists the users that you block, newest account first.

    The order is by user id, descending, and not by the time of the block.
    """
    users, next_id = graph().blocks.list(viewer_id(), before=upper_bound(cursor), limit=limit)
    return page(next_id, limit, users=users)
