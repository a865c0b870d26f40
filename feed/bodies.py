"""The bodies of posts, from the cache or from the graph.

A missing body is reserved in the cache, read from the graph, and written only if still reserved. A
deletion deletes the reservation, so a reader cannot revive a deleted post. If another reader has
reserved the body, this reader polls the cache, so that the graph is usually read once. It takes the
body from the cache only: the other reader's query may have begun before a deletion.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from feed.rendering import render
from graph import Graph
from graph.ids import MAX_ID
from storage import Storage
from storage.errors import StorageUnavailableError

POLL_SECONDS = (0.005, 0.01, 0.02, 0.04)
"""Pauses between polls for a body that another reader has reserved; it usually comes within 5 ms.
After the last pause the graph is read, as the other reader may have died."""


DISCARD_PAGE = 1_000
"""Posts whose bodies are discarded at once."""


def bodies_of(
    graph: Graph,
    storage: Storage,
    post_ids: Iterable[int],
    cached: Mapping[int, bytes | None] | None = None,
) -> dict[int, bytes]:
    """The body of each post by id; `b""` for a post that is deleted or never existed.

    `cached`: what the caller has already read from the cache (None: absent). The rest is read
    here; while the cache is down, from the graph alone. Raises GraphUnavailableError.
    """
    wanted = list(dict.fromkeys(post_ids))
    found = _read_cache(storage, wanted, cached or {})
    missing = [post_id for post_id in wanted if found.get(post_id) is None]
    filled = _read_through(graph, storage, missing) if missing else {}
    return {
        post_id: filled[post_id] if post_id in filled else found[post_id] or b""
        for post_id in wanted
    }


def _read_cache(
    storage: Storage, post_ids: list[int], cached: Mapping[int, bytes | None]
) -> dict[int, bytes | None]:
    unread = [post_id for post_id in post_ids if post_id not in cached]
    bodies = dict(cached)
    if unread:
        try:
            bodies.update(storage.bodies.read_many(unread))
        except StorageUnavailableError:
            bodies.update(dict.fromkeys(unread))
    return bodies


def _read_through(graph: Graph, storage: Storage, post_ids: list[int]) -> dict[int, bytes]:
    """Bodies that were not in the cache: from the graph, or from readers that reserved them."""
    try:
        tokens = storage.bodies.reserve_many(post_ids)  # before the graph is read
    except StorageUnavailableError:
        return _read_graph(graph, storage, post_ids, {})
    bodies = _read_graph(graph, storage, list(tokens), tokens) if tokens else {}
    reserved_by_others = [post_id for post_id in post_ids if post_id not in tokens]
    bodies.update(_poll_cache(storage, reserved_by_others))
    if remaining := [post_id for post_id in reserved_by_others if post_id not in bodies]:
        bodies.update(_read_graph(graph, storage, remaining, {}))
    return bodies


def _poll_cache(storage: Storage, post_ids: list[int]) -> dict[int, bytes]:
    """Those of the bodies that other readers write within POLL_SECONDS."""
    bodies: dict[int, bytes] = {}
    for seconds in POLL_SECONDS if post_ids else ():
        time.sleep(seconds)
        remaining = [post_id for post_id in post_ids if post_id not in bodies]
        found = _read_cache(storage, remaining, {})
        bodies.update({post_id: body for post_id, body in found.items() if body is not None})
        if len(bodies) == len(post_ids):
            break
    return bodies


def _read_graph(
    graph: Graph, storage: Storage, post_ids: list[int], tokens: Mapping[int, str]
) -> dict[int, bytes]:
    """Bodies from the graph; each is written to the cache if its token is still valid."""
    posts = graph.posts.many(post_ids)
    bodies = {
        post_id: render(posts[post_id], storage) if post_id in posts else b""
        for post_id in post_ids
    }
    if tokens:
        _write_cache(storage, bodies, tokens)
    return bodies


def _write_cache(storage: Storage, bodies: Mapping[int, bytes], tokens: Mapping[int, str]) -> None:
    """Best effort: a body that is not written is read from the graph again."""
    with suppress(StorageUnavailableError):
        storage.bodies.fill_many(bodies, tokens)


def discard_bodies_of(graph: Graph, storage: Storage, author_id: int, limit: int = 10_000) -> None:
    """Discard the bodies of the author's newest `limit` posts.

    For the request that changes a name, before its response; the event discards the rest. Raises
    StorageUnavailableError, GraphUnavailableError.
    """
    storage.bodies.discard_expected(author_id)
    before, remaining = MAX_ID, limit
    while remaining > 0:
        size = min(remaining, DISCARD_PAGE)
        discarded = discard_page(graph, storage, author_id, before, size)
        if not discarded:
            return
        before, remaining = discarded[-1], remaining - size


def discard_page(
    graph: Graph, storage: Storage, author_id: int, before: int, limit: int
) -> list[int]:
    """Discard the bodies of the author's newest posts below `before`; returns their ids."""
    post_ids = graph.posts.ids_by_author(author_id, before=before, limit=limit)
    storage.bodies.discard(post_ids)
    return post_ids
