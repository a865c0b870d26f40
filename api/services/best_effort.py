"""What a write does to the cache around its commit, where others do the same again.

These fail open: the fact stands, so the client is told so, whatever the cache says.
"""

from feed.bodies import discard_bodies_of
from graph import Graph
from storage import Storage
from storage.bodies import Expected
from storage.fail_open import failing_open


def _unread(_storage: Storage, _user_id: int) -> None:
    return


def _undiscarded(_graph: Graph, _storage: Storage, _author_id: int) -> None:
    return


def _unexpected(_storage: Storage, _post_id: int, _author_id: int) -> Expected | None:
    return None


def _unfilled(_storage: Storage, _expected: Expected, _body: bytes) -> None:
    return


@failing_open("drop timeline", _unread)
def drop_timeline(storage: Storage, user_id: int) -> None:
    """Have the user's next page come from the graph."""
    storage.timelines.drop(user_id)


@failing_open("discard bodies", _undiscarded)
def discard_bodies(graph: Graph, storage: Storage, author_id: int) -> None:
    """Have the author's posts rendered anew, with their new name."""
    discard_bodies_of(graph, storage, author_id)


@failing_open("expect body", _unexpected)
def expect_body(storage: Storage, post_id: int, author_id: int) -> Expected | None:
    """Before a post is created: what its body is written with afterwards."""
    return storage.bodies.expect(post_id, author_id)


@failing_open("fill body", _unfilled)
def fill_body(storage: Storage, expected: Expected, body: bytes) -> None:
    """The body of the post just created, unless it was deleted or its author renamed meanwhile."""
    storage.bodies.fill_new(expected, body)
