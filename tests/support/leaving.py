"""The ways in which a viewer stops following an author."""

from collections.abc import Callable
from typing import Protocol

from api.services.blocks import block
from api.services.follows import remove_follower, unfollow
from graph import Graph
from storage import Storage
from tests.support.stage import Stage

Leave = Callable[["Stores", int, int], None]


class Stores(Protocol):
    """An object that has a graph and a storage."""

    @property
    def graph(self) -> Graph: ...
    @property
    def storage(self) -> Storage: ...


def by_unfollowing(stores: Stores, viewer: int, author: int) -> None:
    unfollow(stores.graph, stores.storage, follower_id=viewer, followee_id=author)


def by_being_removed(stores: Stores, viewer: int, author: int) -> None:
    remove_follower(stores.graph, stores.storage, follower_id=viewer, followee_id=author)


def by_blocking(stores: Stores, viewer: int, author: int) -> None:
    block(stores.graph, stores.storage, blocker_id=viewer, blocked_id=author)


def by_being_blocked(stores: Stores, viewer: int, author: int) -> None:
    block(stores.graph, stores.storage, blocker_id=author, blocked_id=viewer)


WAYS = [by_unfollowing, by_being_removed, by_blocking, by_being_blocked]


def following(stage: Stage) -> tuple[int, int, int]:
    """A viewer with a list, the author to be left, and a friend whom the viewer keeps following."""
    viewer, author, friend = stage.town.users(3)
    stage.town.add_followees(viewer, author, friend)
    for writer in (author, friend, author):
        stage.do(stage.town.post(writer)[1])
    stage.build(viewer)
    return viewer, author, friend


def leave_and_rebuild(stage: Stage, viewer: int, author: int) -> None:
    """Unfollow, do the jobs of the leaving, and rebuild the viewer's list."""
    by_unfollowing(stage, viewer, author)
    stage.town.end_hold(viewer)
    for pending in stage.town.events_of(viewer):
        stage.do(pending)
    stage.check_feed(viewer, rebuilds=True)
    assert stage.entries(viewer)
