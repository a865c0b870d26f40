"""The one table of event kinds and their functions."""

from collections.abc import Callable, Sequence

from graph import Graph
from graph.events import Event
from storage import Storage
from workers import (
    accounts,
    ended_sessions,
    fan_out,
    fan_out_batch,
    following,
    leaving,
    removal,
)
from workers.batch_result import BatchResult
from workers.exports import building
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
    "account-suspended": accounts.hide_suspended,
    "post-moderated": removal.refresh_moderated,
    "followed": following.finish_follow,
    "left": leaving.drop_after_leaving,
    "blocked": leaving.drop_after_block,
    "export-asked": building.build,
}
"""The function that does the work of each kind. Every function can be repeated."""

BatchHandler = Callable[[Graph, Storage, Sequence[Event]], BatchResult]
"""Does the work of several events of a kind in common round trips."""

BATCH_HANDLERS: dict[str, BatchHandler] = {
    "post-published": fan_out_batch.push_first_pages,
    "followed": following.finish_follows,
    "left": leaving.drop_after_leavings,
}
"""The same for several events, of the kinds that are many and small."""
