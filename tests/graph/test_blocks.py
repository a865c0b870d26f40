import contextlib
import random
from collections.abc import Callable

import pytest

from graph import Graph
from graph.blocks import NewBlock
from graph.errors import NotFoundError
from graph.ids import new_id
from tests.support.concurrency import errors, run_together
from tests.support.ids import NEWEST
from tests.support.outbox import claim
from tests.support.town import Town


def relationship_types(town: Town, one_id: int, other_id: int) -> set[str]:
    """The types of the relationships between two users, in both directions."""
    rows = town.query(
        "MATCH (a:User {id: $a})-[between]-(b:User {id: $b}) "
        "RETURN collect(DISTINCT type(between)) AS types",
        a=one_id,
        b=other_id,
    )
    return set(rows[0]["types"])


def test_a_block_ends_both_follows_with_one_event(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    town.follow(ben, ana)
    event = town.block(ana, ben)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("blocked", ana, ben)
    assert relationship_types(town, ana, ben) == {"BLOCKS", "LEFT"}
    for user in (ana, ben):
        assert graph.posts.feed_page(user, before=NEWEST, limit=1).unfollow_pending
    assert claim(graph, event.id, 0) is None


# Case 53
@pytest.mark.parametrize("unblocked", [False, True], ids=["repeated", "unblocked between"])
def test_a_repeated_block_neither_renews_a_left_nor_creates_an_event(
    graph: Graph, town: Town, *, unblocked: bool
) -> None:
    ana, ben = town.users(2)
    town.follow(ben, ana)
    assert town.block(ana, ben)
    town.query("MATCH (:User {id: $id})-[left:LEFT]->() SET left.created_at = 0", id=ben)
    if unblocked:
        graph.blocks.delete(blocker_id=ana, blocked_id=ben)
    again = graph.blocks.create(blocker_id=ana, blocked_id=ben)
    assert again == NewBlock(event=None, leaver_ids=(ben,))
    graph.follows.delete_left(pairs=[(ana, ben), (ben, ana)])
    assert relationship_types(town, ana, ben) == {"BLOCKS"}
    again = graph.blocks.create(blocker_id=ana, blocked_id=ben)
    assert again == NewBlock(event=None, leaver_ids=())


def test_a_block_of_a_stranger_has_no_event(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    created = graph.blocks.create(blocker_id=ana, blocked_id=ben)
    assert created == NewBlock(event=None, leaver_ids=())


def test_a_user_who_does_not_exist_can_neither_block_nor_be_blocked(town: Town) -> None:
    ana = town.user()
    with pytest.raises(NotFoundError):
        town.block(ana, new_id())
    with pytest.raises(NotFoundError):
        town.block(new_id(), ana)


def test_sixteen_concurrent_blocks_create_one_block(town: Town) -> None:
    ana, ben = town.users(2)
    outcomes = run_together(*[lambda: town.block(ana, ben)] * 16)
    assert not errors(outcomes)
    rows = town.query(
        "MATCH (:User {id: $id})-[block:BLOCKS]->() RETURN count(*) AS blocks", id=ana
    )
    assert rows == [{"blocks": 1}]


def test_deleting_a_block_restores_no_follow(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    town.block(ana, ben)
    graph.blocks.delete(blocker_id=ana, blocked_id=ben)
    graph.blocks.delete(blocker_id=ana, blocked_id=ben)
    assert relationship_types(town, ana, ben) == {"LEFT"}


def test_blocks_are_listed_in_descending_order_of_id(graph: Graph, town: Town) -> None:
    ana, *others = town.users(4)
    for other in others:
        town.block(ana, other)
    first, following = graph.blocks.list(ana, before=NEWEST, limit=2)
    assert [user.id for user in first] == [others[2], others[1]]
    assert following == others[1]
    last, following = graph.blocks.list(ana, before=following, limit=2)
    assert ([user.id for user in last], following) == ([others[0]], None)


@pytest.mark.parametrize("seed", range(25))
def test_a_follow_and_a_block_never_both_exist(town: Town, seed: int) -> None:
    ana, ben = town.users(2)
    draw = random.Random(seed)

    def ignoring_not_found(
        call: Callable[[int, int], object], one: int, other: int
    ) -> Callable[[], None]:
        def run() -> None:
            with contextlib.suppress(NotFoundError):
                call(one, other)

        return run

    calls = [
        ignoring_not_found(draw.choice([town.follow, town.follow, town.unfollow]), *pair)
        for pair in [(ana, ben), (ben, ana)] * 4
    ]
    calls.insert(draw.randrange(9), ignoring_not_found(town.block, *draw.sample([ana, ben], 2)))
    assert not errors(run_together(*calls))
    types = relationship_types(town, ana, ben)
    assert "BLOCKS" in types
    assert "FOLLOWS" not in types
