"""The one table of event kinds and their functions."""

from collections.abc import Callable

from graph import Graph
from graph.events import Event
from storage import Storage
from workers import accounts, ended_sessions, fan_out, following, leaving, removal
from workers.photos import expiry, processing

Handler = Callable[[Graph, Storage, Event], bool | None]
"""Returns True if it has finished the event too, in the statement of its last step."""

HANDLERS: dict[str, Handler] = {
    "photo-uploaded": processing.process,
    "post-published": fan_out.fan_out,
    "post-published-widely": fan_out.fan_out,
    "post-deleted": removal.remove_post,
    "photo-deleted": expiry.remove_deleted,
    "profile-changed": removal.refresh_author,
    "sessions-ended": ended_sessions.clear,
    "account-left": accounts.leave,
    "followed": following.finish_follow,
    "left": leaving.drop_after_leaving,
    "blocked": leaving.drop_after_block,
}
"""The function that does the work of each kind. Every function can be repeated."""
