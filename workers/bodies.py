"""The bodies of posts, from the cache or from the graph.

A missing body is claimed, read from the graph and written only if the claim still stands: a post
deleted in between has taken the claim away, so it is not revived.
"""

from collections.abc import Iterable, Mapping

from graph import Graph
from storage import Storage
from storage.errors import StorageUnavailableError
from workers.rendering import render


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
    tokens = _claim(storage, post_ids)  # first the marks, then the reading
    posts = graph.posts.many(post_ids)
    bodies = {
        post_id: render(posts[post_id], storage) if post_id in posts else b""
        for post_id in post_ids
    }
    _write(storage, {post_id: bodies[post_id] for post_id in tokens}, tokens)
    return bodies


def _claim(storage: Storage, post_ids: list[int]) -> dict[int, str]:
    """A token for each post that nobody else is filling."""
    try:
        return storage.bodies.claim_many(post_ids)
    except StorageUnavailableError:
        return {}


def _write(storage: Storage, bodies: Mapping[int, bytes], tokens: Mapping[int, str]) -> None:
    """Best effort: a body that is not kept is read from the graph again."""
    try:
        storage.bodies.fill_many(bodies, tokens)
    except StorageUnavailableError:
        return
