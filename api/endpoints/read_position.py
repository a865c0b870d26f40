"""The read position in the feed."""

from typing import Any

from api.http.auth import login_required
from api.http.context import graph, graph_pages, rebuilder, storage, viewer_id
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.http.responses import DEGRADED, DEGRADED_DOCUMENTED
from api.schemas.read_position import NewPosition, UnreadSchema
from api.services import read_positions
from feed import unread
from feed.errors import FeedBusyError

blueprint = Blueprint(
    "feed-position", __name__, description="The newest post that you have read in your feed."
)


@blueprint.get("/v1/me/feed/unread")
@login_required
@blueprint.response(200, UnreadSchema, headers=DEGRADED_DOCUMENTED)
@raises(FeedBusyError)
def count_unread_posts() -> Any:
    """Counts the posts in your feed that are newer than your read position.

    Your own posts do not count. Without a read position all posts of others count. The count ends
    at 100; `capped` is true if there are more.
    """
    answer = unread.count(graph(), storage(), rebuilder(), graph_pages(), viewer_id=viewer_id())
    headers = {DEGRADED: ", ".join(answer.degraded)} if answer.degraded else {}
    return answer.unread, 200, headers


@blueprint.put("/v1/me/feed/position")
@login_required
@blueprint.arguments(NewPosition)
@blueprint.response(204)
def set_read_position(body: dict[str, int]) -> Any:
    """Moves your read position forward to a post.

    A position never moves back: 204 for an older post, and nothing changes. The post need not be in
    the feed any more.

    **Retries**: can be repeated.
    """
    read_positions.move(graph(), storage(), user_id=viewer_id(), post_id=body["post_id"])
