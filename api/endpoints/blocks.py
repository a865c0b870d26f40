"""Blocking people."""

from typing import Any

from api.http.auth import login_required
from api.http.context import graph, storage, viewer_id
from api.http.paging import PageQuery, before, paged
from api.http.parsing import Blueprint
from api.schemas.users import PeoplePage
from api.services import blocks

blueprint = Blueprint("blocks", __name__, description="Blocking people")


@blueprint.put("/v1/me/blocks/<id:user_id>")
@login_required
@blueprint.response(204)
@blueprint.alt_response(404, "NOT_FOUND")
def block(user_id: int) -> Any:
    """Block somebody: neither sees anything of the other, both follows end."""
    blocks.block(graph(), storage(), blocker_id=viewer_id(), blocked_id=user_id)


@blueprint.delete("/v1/me/blocks/<id:user_id>")
@login_required
@blueprint.response(204)
def unblock(user_id: int) -> Any:
    """Block somebody no longer. The follows that ended do not come back."""
    graph().blocks.delete(blocker_id=viewer_id(), blocked_id=user_id)


@blueprint.get("/v1/me/blocks")
@login_required
@blueprint.arguments(PageQuery, location="query", as_kwargs=True)
@blueprint.response(200, PeoplePage)
def my_blocks(*, cursor: str | None, limit: int) -> Any:
    """Whom one blocks."""
    users, next_id = graph().blocks.list(viewer_id(), before=before(cursor), limit=limit)
    return paged(next_id, limit, users=users)
