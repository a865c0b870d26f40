"""`python -m api init`: the stores prepared, and refused where they would break a promise."""

from collections.abc import Iterator

from graph import Graph
from graph.schema import apply
from operators.commands.opening import CommandError
from storage import Storage

CACHE_TIMEOUT_SECONDS = 10
"""After how much silence the cache closes a connection, at most."""


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
    storage.cache.usable()
    policy = storage.queue.setting("maxmemory-policy")
    if policy is None:
        yield "Not readable: the queue's maxmemory-policy; it must be noeviction."
    elif policy != "noeviction":
        raise CommandError(
            f"The queue's Redis has maxmemory-policy {policy}. Set it to noeviction: any other "
            "drops jobs silently."
        )
