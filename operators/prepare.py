"""`python -m api init`: prepares the graph and the bucket, and checks the settings of Redis."""

from collections.abc import Iterator

from graph import Graph
from graph.schema import apply
from operators.commands.stores import CommandError
from storage import Storage
from storage.cache_layout import has_other_layout, replace_layout
from storage.errors import LayoutInUseError

MAX_CACHE_TIMEOUT_SECONDS = 10
"""The cache must close connections that are idle for longer."""

UPGRADE_PAGE = 2_000
"""Photos that a statement looks at: it takes part of a second, and little memory."""
REPORTS_PAGE = 100
"""Reports that are looked at together: each may cost a statement."""


def prepare(graph: Graph, storage: Storage) -> Iterator[str]:
    """Apply the graph's schema and prepare the bucket; yields what is done. It can be repeated.

    Raises CommandError if a setting of a Redis server breaks a promise of docs/promises.md.
    """
    yield from _check_redis_settings(storage)
    apply(graph.connection)
    yield "The graph has its constraints and indexes."
    yield from _upgrade_photos(graph)
    yield from _list_reports(graph)
    storage.photos.prepare_bucket()
    yield "The bucket is ready."


def _upgrade_photos(graph: Graph) -> Iterator[str]:
    """Give photos of older versions the time at which they expire, in pages.

    The progress is in the graph: when it is interrupted, the next call goes on there.
    """
    upgraded = 0
    while (page := graph.photos.upgrade(UPGRADE_PAGE)) is not None:
        upgraded += page
    if upgraded:
        yield f"{upgraded:,} photos of an older version are not posted and have a time limit now."


def _list_reports(graph: Graph) -> Iterator[str]:
    """Put posts and users with open reports of older versions into the list of these, in pages.

    Only if the list is empty: the sweeper does so too, and goes on where this is interrupted.
    """
    if graph.reports.open_subjects():
        return
    after, closed = 0, 0
    while True:
        page = graph.reports.settle(after=after, limit=REPORTS_PAGE)
        closed += sum(page.closed.values())
        if page.next_after is None:
            break
        after = page.next_after
    if closed:
        yield f"{closed:,} open reports of deleted posts and users are closed."
    if listed := graph.reports.open_subjects():
        yield f"{listed:,} posts and users with open reports of an older version are listed now."


def _replace_old_layout(storage: Storage) -> Iterator[str]:
    """Empty a cache with the layout of another version. Raises CommandError if it is in use."""
    if not has_other_layout(storage.cache):
        return
    try:
        is_known = replace_layout(storage.cache)
    except LayoutInUseError as error:
        raise CommandError(
            "The cache has the layout of another version, and processes of that version are "
            f"connected to it: {', '.join(error.addresses)}. Stop them all, then repeat this."
        ) from None
    if not is_known:
        yield "Not readable: the cache's clients; no process of another version may run."
    storage.cache.ensure_connection()
    yield "The cache had the layout of another version and was emptied."


def _check_cache_policy(storage: Storage) -> Iterator[str]:
    policy = storage.cache.setting("maxmemory-policy")
    if policy is None:
        yield "Not readable: the cache's maxmemory-policy; it must not be allkeys-*."
    elif policy.startswith("allkeys-"):
        raise CommandError(
            f"The cache's Redis has maxmemory-policy {policy}. Set it to volatile-lru: it would "
            "drop the key by which old data are known, and the cache would be emptied for that."
        )


def _check_redis_settings(storage: Storage) -> Iterator[str]:
    """Yield a line for each setting that cannot be read. Raises CommandError for a wrong one."""
    timeout = storage.cache.setting("timeout")
    if timeout is None:
        yield f"Not readable: the cache's timeout; it must be 1 to {MAX_CACHE_TIMEOUT_SECONDS}."
    elif not 1 <= int(timeout) <= MAX_CACHE_TIMEOUT_SECONDS:
        raise CommandError(
            f"The cache's Redis has timeout {timeout}. Set it to {MAX_CACHE_TIMEOUT_SECONDS}: with "
            "a longer one, a process that was suspended could still push a post whose author its "
            "reader has unfollowed."
        )
    yield from _check_cache_policy(storage)
    yield from _replace_old_layout(storage)
    policy = storage.queue.setting("maxmemory-policy")
    if policy is None:
        yield "Not readable: the queue's maxmemory-policy; it must be noeviction."
    elif policy != "noeviction":
        raise CommandError(
            f"The queue's Redis has maxmemory-policy {policy}. Set it to noeviction: every other "
            "policy drops jobs silently."
        )
