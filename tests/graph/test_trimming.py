"""Which notifications are stored: a bounded number, and first those whose fact stands."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from neo4j import Transaction
from neo4j.exceptions import TransientError

from graph import Graph, notifications
from graph.notifications import COUNT_CAP, MOST, TRIM_SLACK
from tests.support.concurrency import errors, run_together
from tests.support.eventually import eventually
from tests.support.notifications import DAY_MS, NOON_MS, groups_of, one_a_pair_and_day
from tests.support.town import Town


def test_only_the_newest_thousand_are_stored_and_the_others_deleted(
    graph: Graph, town: Town
) -> None:
    ben = town.user()
    town.followed_at(NOON_MS - DAY_MS, ben, *town.users(TRIM_SLACK))
    town.followed_at(NOON_MS, ben, *town.users(MOST))
    assert graph.notifications.trim(ben) == 0, "so few too many are left alone"
    town.followed_at(NOON_MS - DAY_MS, ben, town.user())
    group, _older = groups_of(graph, ben)
    assert group.actor_count == MOST
    unread = graph.notifications.unread(ben)
    assert (unread.count, unread.capped) == (COUNT_CAP, True)
    assert [graph.notifications.trim(ben) for _ in range(2)] == [TRIM_SLACK + 1, 0]
    assert len(town.notifications_of(ben)) == MOST
    assert groups_of(graph, ben) == [group]


def ended_follows(town: Town, at_ms: int, followee_id: int, count: int) -> list[int]:
    """The notifications of follows that have ended, in ascending order."""
    people = town.users(count)
    notification_ids = town.followed_at(at_ms, followee_id, *people)
    town.query(
        "MATCH ()-[f:FOLLOWS {followee_id: $id}]->() WHERE f.follower_id IN $people DELETE f",
        id=followee_id,
        people=people,
    )
    return notification_ids


def bound(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let a user have so few notifications."""
    monkeypatch.setattr(notifications, "MOST", most)
    monkeypatch.setattr(notifications, "TRIM_SLACK", 0)


def ids_of(town: Town, user_id: int) -> list[int]:
    return [one["id"] for one in town.notifications_of(user_id)]


def test_follows_that_ended_hide_no_others_and_are_deleted_first(graph: Graph, town: Town) -> None:
    ben, ana = town.user(), town.user("Ana")
    real = town.followed_at(NOON_MS - DAY_MS, ben, ana, *town.users(TRIM_SLACK))
    ended_follows(town, NOON_MS, ben, MOST)
    assert [group.actor_count for group in groups_of(graph, ben)] == [len(real)]
    assert graph.notifications.unread(ben).count == len(real)
    assert [graph.notifications.trim(ben) for _ in range(2)] == [len(real), 0]
    left = ids_of(town, ben)
    assert len(left) == MOST
    assert set(real) <= set(left)
    assert [group.actor_count for group in groups_of(graph, ben)] == [len(real)]


def test_the_oldest_that_ended_are_deleted_first_and_then_the_oldest_that_stand(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(monkeypatch, 4)
    ben = town.user()
    standing = town.followed_at(NOON_MS - DAY_MS, ben, *town.users(3))
    ended = ended_follows(town, NOON_MS - DAY_MS // 4, ben, 3)
    assert graph.notifications.trim(ben) == 2
    assert ids_of(town, ben) == [*standing, ended[2]]
    newest = town.followed_at(NOON_MS, ben, *town.users(3))
    assert graph.notifications.trim(ben) == 3
    assert ids_of(town, ben) == [standing[2], *newest]


def test_a_trim_looks_at_a_bounded_number_and_ends_with_the_newest(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(monkeypatch, 3)
    monkeypatch.setattr(notifications, "TRIM_PAGE", 4)
    ben = town.user()
    ids = town.followed_at(NOON_MS, ben, *town.users(20))
    deleted = [graph.notifications.trim(ben) for _ in range(6)]
    assert deleted == [4, 4, 4, 4, 1, 0]
    assert ids_of(town, ben) == ids[-3:]


def begin_follow(transaction: Transaction, follower_id: int, followee_id: int) -> None:
    """Create a follow of yesterday that is not committed."""
    transaction.run(
        "MATCH (a:User {id: $a}), (b:User {id: $b})"
        " CREATE (a)-[:FOLLOWS {follower_id: $a, followee_id: $b, created_at: $at}]->(b)",
        a=follower_id,
        b=followee_id,
        at=NOON_MS,
    ).consume()


@pytest.mark.parametrize("begins_again", [True, False])
def test_a_trim_waits_for_a_follow_that_begins_again_and_keeps_its_notification(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch, *, begins_again: bool
) -> None:
    bound(monkeypatch, 1)
    ben, ana, bo = town.users(3)
    [older] = town.followed_at(NOON_MS - DAY_MS // 4, ben, bo)
    [newer] = town.followed_at(NOON_MS, ben, ana)
    town.unfollow(ana, ben)
    with town.locked(ana) as follow, ThreadPoolExecutor(1) as pool:
        begin_follow(follow, ana, ben)
        trim = pool.submit(graph.notifications.trim, ben)
        eventually(lambda: town.blocked_by_locks() or trim.done())
        assert not trim.done(), "the trim did not wait for the follow"
        if begins_again:
            follow.commit()
        else:
            follow.rollback()
        assert trim.result() == 1
    assert ids_of(town, ben) == [newer if begins_again else older]
    town.forget_events()


def test_a_trim_deletes_no_notification_that_a_follow_has_just_found(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(monkeypatch, 1)
    ben, ana, bo = town.users(3)
    town.followed_at(NOON_MS - DAY_MS // 4, ben, bo)
    [found] = town.followed_at(NOON_MS, ben, ana)
    town.unfollow(ana, ben)
    with town.locked(ana) as follow, ThreadPoolExecutor(1) as pool:
        trim = pool.submit(graph.notifications.trim, ben)
        eventually(lambda: town.blocked_by_locks() or trim.done())
        try:
            begin_follow(follow, ana, ben)
            follow.commit()
        except TransientError:  # a deadlock that the trim has won: the follow begins anew
            follow.close()
            assert trim.result() == 1
            assert found not in ids_of(town, ben)
        else:
            trim.result()
            assert found in ids_of(town, ben), "a follow stands and has no notification"
    town.forget_events()


def test_trims_among_follows_that_come_and_go_end_without_error_within_the_bound(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(monkeypatch, 8)
    ben, *people = town.users(17)

    def storm(follower: int) -> None:
        for _ in range(3):
            town.follow(follower, ben)
            town.unfollow(follower, ben)
            graph.notifications.trim(ben)

    assert not errors(run_together(*[partial(storm, one) for one in people]))
    graph.notifications.trim(ben)
    assert len(town.notifications_of(ben)) == 8
    assert one_a_pair_and_day(town, ben)
    town.forget_events()
