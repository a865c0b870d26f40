import contextlib
import random
from collections.abc import Callable

import pytest

from graph import Graph
from graph.errors import NotFoundError
from graph.ids import new_id
from tests.support.maker import NEWEST, Maker, errors, run_together


def relationship_types(make: Maker, one_id: int, other_id: int) -> set[str]:
    """The types of the relationships between two users, in both directions."""
    rows = make.cypher(
        "MATCH (a:User {id: $a})-[between]-(b:User {id: $b}) "
        "RETURN collect(DISTINCT type(between)) AS types",
        a=one_id,
        b=other_id,
    )
    return set(rows[0]["types"])


def test_a_block_ends_both_follows_with_one_event(graph: Graph, make: Maker) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    make.follow(ben.id, ana.id)
    event = make.block(ana.id, ben.id)
    assert event
    assert (event.kind, event.subject_id, event.author_id) == ("blocked", ana.id, ben.id)
    assert relationship_types(make, ana.id, ben.id) == {"BLOCKS", "LEFT"}
    for user in (ana, ben):
        assert graph.posts.feed_page(user.id, before=NEWEST, limit=1).unfollow_pending
    assert graph.events.claim(event.id, 0) is None


def test_a_repeated_block_renews_the_delay_and_later_creates_no_event(
    graph: Graph, make: Maker
) -> None:
    ana, ben = make.users(2)
    make.follow(ben.id, ana.id)
    assert make.block(ana.id, ben.id)
    assert make.block(ana.id, ben.id)
    make.cypher("MATCH (:User {id: $id})-[left:LEFT]->() SET left.created_at = 0", id=ben.id)
    graph.follows.delete_left(pairs=[(ana.id, ben.id), (ben.id, ana.id)])
    assert make.block(ana.id, ben.id) is None
    assert relationship_types(make, ana.id, ben.id) == {"BLOCKS"}


def test_a_user_who_does_not_exist_can_neither_block_nor_be_blocked(make: Maker) -> None:
    ana = make.user()
    with pytest.raises(NotFoundError):
        make.block(ana.id, new_id())
    with pytest.raises(NotFoundError):
        make.block(new_id(), ana.id)


def test_sixteen_concurrent_blocks_create_one_block(make: Maker) -> None:
    ana, ben = make.users(2)
    outcomes = run_together(*[lambda: make.block(ana.id, ben.id)] * 16)
    assert not errors(outcomes)
    rows = make.cypher(
        "MATCH (:User {id: $id})-[block:BLOCKS]->() RETURN count(*) AS blocks", id=ana.id
    )
    assert rows == [{"blocks": 1}]


def test_deleting_a_block_restores_no_follow(graph: Graph, make: Maker) -> None:
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    make.block(ana.id, ben.id)
    graph.blocks.delete(blocker_id=ana.id, blocked_id=ben.id)
    graph.blocks.delete(blocker_id=ana.id, blocked_id=ben.id)
    assert relationship_types(make, ana.id, ben.id) == {"LEFT"}


def test_blocks_are_listed_in_descending_order_of_id(graph: Graph, make: Maker) -> None:
    ana, *others = make.users(4)
    for other in others:
        make.block(ana.id, other.id)
    first, following = graph.blocks.list(ana.id, before=NEWEST, limit=2)
    assert [user.id for user in first] == [others[2].id, others[1].id]
    assert following == others[1].id
    assert graph.blocks.list(ana.id, before=following, limit=2) == ([others[0]], None)


@pytest.mark.parametrize("seed", range(25))
def test_a_follow_and_a_block_never_both_exist(make: Maker, seed: int) -> None:
    ana, ben = make.users(2)
    draw = random.Random(seed)

    def ignoring_not_found(
        call: Callable[[int, int], object], one: int, other: int
    ) -> Callable[[], None]:
        def run() -> None:
            with contextlib.suppress(NotFoundError):
                call(one, other)

        return run

    calls = [
        ignoring_not_found(draw.choice([make.follow, make.follow, make.unfollow]), *pair)
        for pair in [(ana.id, ben.id), (ben.id, ana.id)] * 4
    ]
    calls.insert(
        draw.randrange(9), ignoring_not_found(make.block, *draw.sample([ana.id, ben.id], 2))
    )
    assert not errors(run_together(*calls))
    types = relationship_types(make, ana.id, ben.id)
    assert "BLOCKS" in types
    assert "FOLLOWS" not in types
