"""Which function does what an event of each kind owes: the one such table."""

from collections.abc import Callable

from graph import Graph
from graph.events import Event
from storage import Storage
from workers import fan_out, leaving, removal
from workers.photos import processing

Handler = Callable[[Graph, Storage, Event], None]

HANDLERS: dict[str, Handler] = {
    "photo-uploaded": processing.process,
    "post-published": fan_out.fan_out,
    "post-published-widely": fan_out.fan_out,
    "post-deleted": removal.remove_post,
    "profile-changed": removal.refresh_author,
    "followed": leaving.followed,
    "left": leaving.left,
    "blocked": leaving.blocked,
}
"""What each kind of event owes. All of it may be done twice."""
