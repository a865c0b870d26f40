"""The commands of `python -m api` that do one thing and end; each yields the lines it prints."""

from collections.abc import Iterator
from datetime import UTC, datetime

from graph import Graph
from graph.ids import time_of
from graph.schema import apply
from storage import Storage

CACHE_TIMEOUT_SECONDS = 10
"""After how much silence the cache closes a connection, at most."""

LISTED = 1_000
"""Quarantined events shown at once; more than that is not read by people."""


class CommandError(Exception):
    """A command could not do what it was asked; the message says why, and what to do."""


def prepare(graph: Graph, storage: Storage) -> Iterator[str]:
    """Apply the graph's schema and prepare the bucket; the same again changes nothing.

    Raises CommandError where a Redis server is set so that promises would break.
    """
    yield from _checked(storage)
    apply(graph.connection)
    yield "The graph has its constraints and indexes."
    storage.photos.prepare_bucket()
    yield "The bucket is ready."


def _checked(storage: Storage) -> Iterator[str]:
    """What a Redis of somebody else's making must be set to. Raises CommandError."""
    timeout = storage.cache.setting("timeout")
    if timeout is None:
        yield f"Not readable: the cache's timeout; it must be 1 to {CACHE_TIMEOUT_SECONDS}."
    elif not 1 <= int(timeout) <= CACHE_TIMEOUT_SECONDS:
        raise CommandError(
            f"The cache's Redis has timeout {timeout}. Set it to {CACHE_TIMEOUT_SECONDS}: a "
            "connection that slept for longer must be closed, or it could still push a post that "
            "its reader has unfollowed."
        )
    policy = storage.queue.setting("maxmemory-policy")
    if policy is None:
        yield "Not readable: the queue's maxmemory-policy; it must be noeviction."
    elif policy != "noeviction":
        raise CommandError(
            f"The queue's Redis has maxmemory-policy {policy}. Set it to noeviction: any other "
            "drops jobs silently."
        )


def list_quarantined(graph: Graph) -> Iterator[str]:
    """Every event that was given up, a line each."""
    events = graph.events.quarantined(LISTED)
    for event in events:
        age = datetime.now(UTC) - time_of(event.id)
        yield (
            f"{event.id}  {event.kind:<15}  subject {event.subject_id}  author {event.author_id}  "
            f"{event.attempts} attempts  {int(age.total_seconds())} s old"
        )
    yield f"{len(events)} in quarantine." if events else "Nothing is in quarantine."


def requeue(graph: Graph, storage: Storage, event_id: int) -> Iterator[str]:
    """Make a quarantined event due and ring for it. Raises CommandError if there is none."""
    event = graph.events.requeue(event_id)
    if event is None:
        message = f"No event {event_id} is in quarantine."
        raise CommandError(message)
    storage.queues.ring(event, None)  # fails open: the sweeper rings again
    yield f"Event {event_id} ({event.kind}) is due again."
