"""Tickets and streams of news."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load
from webargs.multidictproxy import MultiDictProxy

from api.schemas import examples
from api.schemas.fields import Time

LAST_EVENT_ID = f"{examples.POST_ID}-0"
"""An example."""

EVENTS = (
    f'event: tick\nid: {LAST_EVENT_ID}\ndata: {{"newest_id":"{examples.POST_ID}",'
    '"unread":{"count":3,"capped":false}}\n\n'
)
"""An example."""

EVENT_STREAM: dict[str, Any] = {
    "type": "string",
    "description": "Server-sent events, as the HTML standard defines them.",
}
"""The body of a stream in the API document."""


class LiveTicketSchema(Schema):
    """A ticket that opens one stream."""

    ticket = fields.String(
        required=True,
        metadata={
            "description": "Send it as the query parameter `ticket`.",
            "examples": ["lt_AAABjkd0p1X2b3nQ8yVZJtTt0m9cE4wLkHfRuGsA"],
        },
    )
    expires_at = Time(required=True, example=examples.SESSION_EXPIRES_AT)


class LiveQuery(Schema):
    """What a stream is opened by, and what the client has seen."""

    ticket = fields.String(
        metadata={
            "description": "Of `createLiveTicket`. Else the header `Authorization` is needed.",
            "examples": ["lt_AAABjkd0p1X2b3nQ8yVZJtTt0m9cE4wLkHfRuGsA"],
        }
    )
    last_event_id = fields.String(
        metadata={
            "description": "The `id` of the last event, or the ids that the client knows.",
            "examples": [LAST_EVENT_ID],
        }
    )

    @pre_load
    def refuse_repeated(self, query: Any, **_: Any) -> Any:
        """Raises ValidationError for a parameter that is there twice.

        The loop opens no stream for a query with very many parameters: it is refused here.
        """
        for name in self.fields if isinstance(query, MultiDictProxy) else ():
            if len(query.data.getlist(name)) > 1:
                raise ValidationError("Give it once.", name)
        return query
