"""Drawing ids for facts and ringing for the events that came with them."""

from collections.abc import Callable
from typing import TypeVar

import structlog

from graph.errors import IdTakenError
from graph.events import Event
from storage import Storage

T = TypeVar("T")

_DRAWS = 4
"""Two processes draw one id about once in 4,096 times that they draw in one millisecond."""


def drawing(write: Callable[[], T]) -> T:
    """What `write` returns; it draws its own new ids and is called again if one is taken."""
    for _ in range(_DRAWS - 1):
        try:
            return write()
        except IdTakenError:
            continue
    return write()


def ring(storage: Storage, event: Event | None) -> None:
    """Ring for the event, if there is one, with the request's id for the job's log lines.

    Fails open: the sweeper rings again.
    """
    if event is not None:
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        storage.queues.ring(event, request_id)
