"""Tickets of live streams. The streams are on the event loop: see api/live."""

from typing import Any

from api.http.auth import login_required
from api.http.context import storage, viewer
from api.http.openapi import raises
from api.http.parsing import Blueprint
from api.schemas.live import EVENT_STREAM, EVENTS, LiveQuery, LiveTicketSchema
from api.services import live_tickets
from api.services.errors import (
    LiveNeedsAsgiError,
    LiveTicketRefusedError,
    NotSignedInError,
    TooManyStreamsError,
)

blueprint = Blueprint("live", __name__, description="News of your feed as they happen.")

NO_STORE = {"Cache-Control": "no-store"}
"""The response contains a secret."""


@blueprint.post("/v1/me/live/tickets")
@login_required
@blueprint.response(201, LiveTicketSchema)
def create_live_ticket() -> Any:
    """Creates a ticket, which opens one live stream.

    It is for a browser's EventSource, which cannot send the header `Authorization`. A ticket opens
    one stream, once, within 30 s, and no stream after its session has ended.

    **Retries**: can be repeated; each request creates a ticket.
    """
    return live_tickets.issue(storage(), viewer()), 201, NO_STORE


@blueprint.get("/v1/live")
@blueprint.arguments(LiveQuery, location="query")
@blueprint.response(200, EVENT_STREAM, content_type="text/event-stream", example=EVENTS)
@raises(LiveNeedsAsgiError, LiveTicketRefusedError, NotSignedInError, TooManyStreamsError)
def read_live_events(_query: dict[str, Any]) -> Any:
    """Streams news: new posts in your feed and new notifications.

    Send a `ticket` (`createLiveTicket`), or the header `Authorization` instead. The response is a
    stream of server-sent events that stays open:

    - `tick`: a post that was not there before is in your feed. `{newest_id, unread}` is what
      `countUnreadPosts` returns. A count that is not known in time is `{"count": 0, "capped":
      true}`: there are some.
    - `notification`: there is a new notification. `{newest_id, unread}`.
    - `signed-out`: the session has ended. It is the last event.

    Several news within a second are one event. Every event has an `id`. Send the last one as
    `last_event_id` (or as the header `Last-Event-ID`) with the next stream: if something newer is
    there, it begins with an event. It is two ids, `{post}-{notification}`: with the newest posts at
    hand, begin with `{newest_id}-0`. An id that is malformed is ignored. A comment every 15 s keeps
    the connection open.

    The stream ends when the server restarts, when the client does not read, and when the session
    ends. A browser's EventSource then repeats the URL, whose ticket is used up (401
    `live-ticket-refused`): on `error` close it, wait 2.5 to 7.5 s, create a ticket, and open a new
    one.

    A user can have 5 streams at a server process: 429 `too-many-streams`. A process has a bounded
    number of streams: 503 `overloaded`. Under wsgi.py there are none: 501 `live-needs-asgi`.
    """
    raise LiveNeedsAsgiError
