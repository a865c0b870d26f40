"""A user's page: what they say of themselves and what they posted."""

from collections.abc import Mapping

from api.services.best_effort import discard_bodies
from feed.rendering import render
from graph import Graph
from graph.users import Profile
from storage import Storage


def posts_of(
    graph: Graph, storage: Storage, author_id: int, *, viewer_id: int, before: int, limit: int
) -> tuple[list[bytes], int | None]:
    """One page of an author's posts as finished JSON, newest first, and where the next starts.

    A page may be short, as a post may vanish while it is read: the ids alone tell the end. Raises
    NotFoundError unless the viewer may see the author: hidden is absent.
    """
    graph.users.require_visible(author_id, viewer_id=viewer_id)
    post_ids = graph.posts.ids_by_author(author_id, before=before, limit=limit + 1)
    next_id = post_ids[limit - 1] if len(post_ids) > limit else None
    posts = graph.posts.many(post_ids[:limit])
    return [render(posts[post_id], storage) for post_id in post_ids if post_id in posts], next_id


def update(
    graph: Graph, storage: Storage, user_id: int, *, changes: Mapping[str, str | None]
) -> Profile:
    """The user's profile after the changes; an empty mapping changes nothing."""
    if changes:
        _, event = graph.users.update(user_id, changes=changes)
        if event is not None:
            discard_bodies(graph, storage, user_id)  # its event does it again
            storage.queues.wake(event)
    return graph.users.profile(user_id, viewer_id=user_id)
