"""How far one has read one's feed."""

from typing import Any

from api.http.auth import login_required
from api.http.context import graph, parts, storage, viewer_id
from api.http.parsing import Blueprint
from api.http.responses import DEGRADED, DEGRADED_DOCUMENTED
from api.schemas.read_position import NewPosition, UnreadSchema
from api.services import read_positions
from feed import unread

blueprint = Blueprint("feed-position", __name__, description="How far one has read one's feed")


@blueprint.get("/v1/me/feed/unread")
@login_required
@blueprint.response(200, UnreadSchema, headers=DEGRADED_DOCUMENTED)
def count_unread() -> Any:
    """How much is newer than what one has read; everything, until a position is set."""
    answer = unread.count(graph(), storage(), parts().rebuilder, viewer_id=viewer_id())
    headers = {DEGRADED: ", ".join(answer.degraded)} if answer.degraded else {}
    return answer.unread, 200, headers


@blueprint.put("/v1/me/feed/position")
@login_required
@blueprint.arguments(NewPosition)
@blueprint.response(204)
def set_position(body: dict[str, int]) -> Any:
    """Say how far one has read. It only moves forward: a lower one is 204 and changes nothing."""
    read_positions.move(graph(), storage(), user_id=viewer_id(), post_id=body["post_id"])
