"""The bodies of posts, from the cache or from the graph.

A missing body is claimed, read from the graph and written only if the claim still stands: a post
deleted in between has taken the claim away, so it is not revived. Who finds it claimed by another
waits a moment for what that one writes: however many want a body, the graph is asked once. They
look into the cache again and do not share the other's reading, which may have begun before they
did.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from feed.rendering import render
from graph import Graph
from graph.ids import MAX_ID
from storage import Storage
from storage.errors import StorageUnavailableError

LOOK_AGAIN_SECONDS = (0.005, 0.01, 0.02, 0.04)
"""How long a body that another is filling is waited for, look by look: some 5 ms are usual. Whoever
has claimed it may have died, so then the graph is asked."""


DISCARD_PAGE = 1_000
"""Posts whose bodies are discarded at once."""


def bodies_of(
    graph: Graph,
    storage: Storage,
    post_ids: Iterable[int],
    known: Mapping[int, bytes | None] | None = None,
) -> dict[int, bytes]:
    """The body of each post by id; `b""` for one that is deleted or never was.

    `known` is what the caller has read from the cache already (None: not there); the rest is
    looked up. Without the cache the graph answers alone. Raises GraphUnavailableError.
    """
    wanted = list(dict.fromkeys(post_ids))
    found = _look_up(storage, wanted, known or {})
    missing = [post_id for post_id in wanted if found.get(post_id) is None]
    filled = _fill(graph, storage, missing) if missing else {}
    return {
        post_id: filled[post_id] if post_id in filled else found[post_id] or b""
        for post_id in wanted
    }


def _look_up(
    storage: Storage, post_ids: list[int], known: Mapping[int, bytes | None]
) -> dict[int, bytes | None]:
    unread = [post_id for post_id in post_ids if post_id not in known]
    found = dict(known)
    if unread:
        try:
            found.update(storage.bodies.many(unread))
        except StorageUnavailableError:
            found.update(dict.fromkeys(unread))
    return found


def _fill(graph: Graph, storage: Storage, post_ids: list[int]) -> dict[int, bytes]:
    try:
        tokens = storage.bodies.claim_many(post_ids)  # first the marks, then the reading
    except StorageUnavailableError:
        return _made(graph, storage, post_ids, {})
    bodies = _made(graph, storage, list(tokens), tokens) if tokens else {}
    claimed = [post_id for post_id in post_ids if post_id not in tokens]
    bodies.update(_filled_by_others(storage, claimed))
    if left := [post_id for post_id in claimed if post_id not in bodies]:
        bodies.update(_made(graph, storage, left, {}))
    return bodies


def _filled_by_others(storage: Storage, post_ids: list[int]) -> dict[int, bytes]:
    """Those of the bodies that come to stand in the cache within a moment."""
    bodies: dict[int, bytes] = {}
    for seconds in LOOK_AGAIN_SECONDS if post_ids else ():
        time.sleep(seconds)
        left = [post_id for post_id in post_ids if post_id not in bodies]
        looked = _look_up(storage, left, {})
        bodies.update({post_id: body for post_id, body in looked.items() if body is not None})
        if len(bodies) == len(post_ids):
            break
    return bodies


def _made(
    graph: Graph, storage: Storage, post_ids: list[int], tokens: Mapping[int, str]
) -> dict[int, bytes]:
    """Bodies as the graph has them now, written where a token still stands."""
    posts = graph.posts.many(post_ids)
    bodies = {
        post_id: render(posts[post_id], storage) if post_id in posts else b""
        for post_id in post_ids
    }
    if tokens:
        _write(storage, bodies, tokens)
    return bodies


def _write(storage: Storage, bodies: Mapping[int, bytes], tokens: Mapping[int, str]) -> None:
    """Best effort: a body that is not kept is read from the graph again."""
    with suppress(StorageUnavailableError):
        storage.bodies.fill_many(bodies, tokens)


def discard_bodies_of(graph: Graph, storage: Storage, author_id: int, limit: int = 10_000) -> None:
    """Discard the bodies of the author's newest `limit` posts; the event does the rest.

    For the request that changes a name, before its answer. Raises StorageUnavailableError,
    GraphUnavailableError.
    """
    storage.bodies.forget_author(author_id)
    before, left = MAX_ID, limit
    while left > 0:
        size = min(left, DISCARD_PAGE)
        discarded = discard_page(graph, storage, author_id, before, size)
        if not discarded:
            return
        before, left = discarded[-1], left - size


def discard_page(
    graph: Graph, storage: Storage, author_id: int, before: int, limit: int
) -> list[int]:
    """The author's newest posts below `before`, falling, whose bodies are discarded by now."""
    post_ids = graph.posts.ids_by_author(author_id, before=before, limit=limit)
    storage.bodies.discard(post_ids)
    return post_ids
