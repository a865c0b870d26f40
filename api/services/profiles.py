"""A user's page: what they say of themselves and what they posted."""

from collections.abc import Mapping

from api.services.events import drawing, ring
from api.services.mending import discard_bodies
from graph import Graph
from graph.ids import new_id
from graph.users import Profile
from storage import Storage
from workers.rendering import render


def posts_of(
    graph: Graph, storage: Storage, author_id: int, *, viewer_id: int, before: int, limit: int
) -> tuple[list[bytes], int | None]:
    """One page of an author's posts as finished JSON, newest first, and where the next starts.

    Raises NotFoundError unless the viewer may see the author: hidden is absent.
    """
    graph.users.require_visible(author_id, viewer_id=viewer_id)
    posts = graph.posts.by_author(author_id, before=before, limit=limit + 1)
    next_id = posts[limit - 1].id if len(posts) > limit else None
    return [render(post, storage) for post in posts[:limit]], next_id


def update(
    graph: Graph, storage: Storage, user_id: int, *, changes: Mapping[str, str | None]
) -> Profile:
    """The user's profile after the changes; an empty mapping changes nothing."""
    if changes:
        _, event = drawing(lambda: graph.users.update(user_id, changes=changes, event_id=new_id()))
        if event is not None:
            discard_bodies(graph, storage, user_id)  # its event does it again
            ring(storage, event)
    return graph.users.profile(user_id, viewer_id=user_id)
