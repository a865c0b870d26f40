"""Cache updates around a commit that may fail: an event, or the next reader, does them again.

Each fails open. The fact is committed, so the client gets its 2xx whether the cache answers or not.
"""

from feed.bodies import discard_bodies_of
from graph import Graph
from storage import Storage
from storage.bodies import Expected
from storage.fail_open import fail_open, nothing


@fail_open("drop timeline", nothing)
def drop_timeline(storage: Storage, user_id: int) -> None:
    """Have the user's next page come from the graph."""
    storage.timelines.drop(user_id)


@fail_open("discard bodies", nothing)
def discard_bodies(graph: Graph, storage: Storage, author_id: int) -> None:
    """Have the author's posts rendered anew, with their new name."""
    discard_bodies_of(graph, storage, author_id)


@fail_open("expect body", nothing)
def expect_body(storage: Storage, post_id: int, author_id: int) -> Expected | None:
    """Before a post is created: what its body is written with afterwards."""
    return storage.bodies.expect(post_id, author_id)


@fail_open("fill body", nothing)
def fill_body(storage: Storage, expected: Expected, body: bytes) -> None:
    """The body of the post just created, unless it was deleted or its author renamed meanwhile."""
    storage.bodies.fill_new(expected, body)
