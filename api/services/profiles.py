"""Profiles: the page of a user's posts, and changes of one's own profile."""

from collections.abc import Mapping

from api.services.best_effort import discard_bodies
from feed.rendering import render
from graph import Graph
from graph.users import Profile
from storage import Storage


def posts_of(
    graph: Graph, storage: Storage, author_id: int, *, viewer_id: int, before: int, limit: int
) -> tuple[list[bytes], int | None]:
    """A page of the author's posts below the id `before`: bodies, newest first, and the next id.

    The next id is None on the last page. A page can be shorter than `limit` if a post is deleted
    while it is read. Raises NotFoundError for an author who is absent or hidden from the viewer.
    """
    graph.users.require_visible(author_id, viewer_id=viewer_id)
    post_ids = graph.posts.ids_by_author(author_id, before=before, limit=limit + 1)
    next_id = post_ids[limit - 1] if len(post_ids) > limit else None
    posts = graph.posts.many(post_ids[:limit])
    return [render(posts[post_id], storage) for post_id in post_ids if post_id in posts], next_id


def update(
    graph: Graph, storage: Storage, user_id: int, *, changes: Mapping[str, str | None]
) -> Profile:
    """The user's profile after the changes; an empty mapping changes nothing.

    A name that the user has already discards the copies too: the first try of this request may have
    failed after its commit.
    """
    if changes:
        _, event = graph.users.update(user_id, changes=changes)
        if "name" in changes:
            discard_bodies(graph, storage, user_id)  # fails open: the event repeats it
        if event is not None:
            storage.queues.wake(event)
    return graph.users.profile(user_id, viewer_id=user_id)
