"""Notifications in the graph: created with follows, filtered and grouped when read, deleted."""

import time
from functools import partial
from itertools import pairwise

import pytest

from graph import Graph
from graph.errors import NotFoundError
from graph.ids import EPOCH_MS, MAX_ID, ms_of, random_id
from graph.notifications import COUNT_CAP, NotificationGroup
from graph.transport import retries
from tests.support.concurrency import errors, run_together
from tests.support.notifications import DAY_MS, NOON_MS, groups_of, one_a_pair_and_day, texts_of
from tests.support.town import Town


def test_a_follow_creates_one_notification_of_its_day(graph: Graph, town: Town) -> None:
    ana, ben = town.user("Ana"), town.user("Ben")
    before = time.time_ns() // 1_000_000 // DAY_MS
    created = graph.follows.create(follower_id=ana, followee_id=ben)
    [notification] = town.notifications_of(ben)
    at_ms, day = notification.pop("created_at"), notification.pop("day")
    assert day == at_ms // DAY_MS
    assert day - before in {0, 1}
    assert notification == {
        "id": created.notification_id,
        "user_id": ben,
        "kind": "followed",
        "actor_id": ana,
        "subject_id": ben,
    }
    [group] = groups_of(graph, ben)
    assert (group.actor.id, group.others_count, group.post_id) == (ana, 0, None)
    assert group.text == "Ana followed you"
    assert group.created_at.timestamp() * 1000 == at_ms
    assert town.notifications_of(ana) == []


def test_follows_and_unfollows_of_a_day_create_one_notification(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    created = set()
    for _ in range(5):
        created.add(graph.follows.create(follower_id=ana, followee_id=ben).notification_id)
        town.unfollow(ana, ben)
    days = {one["day"] for one in town.notifications_of(ben)}
    assert len(town.notifications_of(ben)) == len(days) == len(created)


def test_a_repeated_follow_returns_the_notification_of_its_day(graph: Graph, town: Town) -> None:
    ana, ben, old = town.users(3)
    first, second = (graph.follows.create(follower_id=ana, followee_id=ben) for _ in range(2))
    assert first.notification_id == second.notification_id
    town.followed_at(NOON_MS, ben, old)
    assert graph.follows.create(follower_id=old, followee_id=ben).notification_id is None


def test_a_refused_follow_creates_no_notification(town: Town) -> None:
    ana, ben = town.users(2)
    town.block(ben, ana)
    with pytest.raises(NotFoundError):
        town.follow(ana, ben)
    assert town.notifications_of(ben) == []


def test_a_notification_gets_another_id_if_its_first_one_exists(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = town.users(2)
    town.query(  # the ids of the next seconds whose random bits are 7
        "UNWIND range(0, 4999) AS ms"
        " CREATE (:Notification {id: (timestamp() - $epoch_ms + ms) * 4096 + 7, user_id: 0})",
        epoch_ms=EPOCH_MS,
    )
    ids = iter([7, 8])
    monkeypatch.setattr("graph.ids.new_id", lambda: next(ids))
    created = graph.follows.create(follower_id=ana, followee_id=ben)
    town.query("MATCH (n:Notification) WHERE n.user_id = 0 DELETE n")
    assert created.event
    assert created.notification_id
    assert created.notification_id % 4096 == 8
    assert [one["id"] for one in town.notifications_of(ben)] == [created.notification_id]


def test_a_notification_has_the_time_of_the_graph_and_not_of_its_host(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = town.users(2)
    monkeypatch.setattr("graph.ids.new_id", lambda: random_id(time.time_ns() // 10**6 + 3_600_000))
    created = graph.follows.create(follower_id=ana, followee_id=ben)
    assert created.notification_id
    assert abs(ms_of(created.notification_id) - time.time_ns() // 10**6) < 60_000


def test_an_ended_follow_shows_nothing_and_a_new_one_of_the_day_shows_the_same(
    graph: Graph, town: Town
) -> None:
    ana, ben = town.user("Ana"), town.user()
    town.follow(ana, ben)
    shown = groups_of(graph, ben)
    town.unfollow(ana, ben)
    assert groups_of(graph, ben) == []
    assert graph.notifications.unread(ben).count == 0
    town.follow(ana, ben)
    assert [group.text for group in shown] == texts_of(graph, ben)
    assert graph.notifications.unread(ben).count == 1


def test_a_new_follow_of_a_later_day_shows_only_itself(graph: Graph, town: Town) -> None:
    ana, ben = town.user("Ana"), town.user()
    town.followed_at(NOON_MS, ben, ana)
    town.unfollow(ana, ben)
    new = graph.follows.create(follower_id=ana, followee_id=ben).notification_id
    assert [group.id for group in groups_of(graph, ben)] == [new]
    assert len(town.notifications_of(ben)) == 2
    assert graph.notifications.unread(ben).count == 1


@pytest.mark.parametrize("reverse", [False, True])
def test_a_block_in_either_direction_shows_nothing(graph: Graph, town: Town, reverse: bool) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    blocker, blocked = (ben, ana) if reverse else (ana, ben)
    town.query(  # the follow stays: the notification itself must be hidden
        "MATCH (a:User {id: $a}), (b:User {id: $b})"
        " CREATE (a)-[:BLOCKS {blocker_id: $a, blocked_id: $b, created_at: 0}]->(b)",
        a=blocker,
        b=blocked,
    )
    assert groups_of(graph, ben) == []
    assert graph.notifications.unread(ben).newest_id is None


def test_after_a_block_has_ended_nothing_is_shown_until_a_new_follow(
    graph: Graph, town: Town
) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    town.block(ben, ana)
    graph.blocks.delete(blocker_id=ben, blocked_id=ana)
    assert groups_of(graph, ben) == []
    town.follow(ana, ben)
    assert len(groups_of(graph, ben)) == 1


def test_an_actor_who_is_not_active_is_left_out(graph: Graph, town: Town) -> None:
    ana, bo, ben = town.user("Ana"), town.user("Bo"), town.user()
    town.followed_at(NOON_MS, ben, ana, bo)
    town.query("MATCH (u:User {id: $id}) SET u.state = 'deleted'", id=bo)
    assert texts_of(graph, ben) == ["Ana followed you"]
    assert graph.notifications.unread(ben).count == 1


def test_a_kind_of_a_newer_version_is_left_out(graph: Graph, town: Town) -> None:
    ana, ben = town.user("Ana"), town.user()
    [shown] = town.followed_at(NOON_MS, ben, ana)
    [newer] = town.followed_at(NOON_MS + DAY_MS // 4, ben, town.user())
    town.query("MATCH (n:Notification {id: $id}) SET n.kind = 'greeted'", id=newer)
    assert texts_of(graph, ben) == ["Ana followed you"]
    unread = graph.notifications.unread(ben)
    assert (unread.count, unread.newest_id) == (1, shown)


def test_a_day_is_one_group_with_the_newest_first(graph: Graph, town: Town) -> None:
    ben = town.user()
    names = ["Ana", "Bo", "Cy", "Di", "Eve", "Flo"]
    people = [town.user(name) for name in names]
    town.followed_at(NOON_MS - DAY_MS, ben, people[0])
    town.followed_at(NOON_MS - DAY_MS // 2, ben, people[1])  # at midnight: the next day
    *_, newest = town.followed_at(NOON_MS, ben, *people[2:])
    today, yesterday = groups_of(graph, ben)
    assert today.id == today.position == newest
    assert today.text == "Flo, Eve and 3 others followed you"
    assert (today.actor.name, today.others_count) == ("Flo", 4)
    assert yesterday.text == "Ana followed you"


def test_a_person_counts_once_a_day_and_again_on_another_day(graph: Graph, town: Town) -> None:
    ben, ana, bo, cy = town.user(), town.user("Ana"), town.user("Bo"), town.user("Cy")
    town.followed_at(NOON_MS - 2 * DAY_MS, ben, bo)
    town.followed_at(NOON_MS, ben, ana, cy)
    assert texts_of(graph, ben) == ["Cy and Ana followed you", "Bo followed you"]


def pages_of(graph: Graph, user_id: int, limit: int) -> list[list[NotificationGroup]]:
    pages: list[list[NotificationGroup]] = []
    before: int | None = MAX_ID
    while before is not None:
        assert len(pages) < 20, "the pages have no end"
        page, before = graph.notifications.groups(user_id, before=before, limit=limit)
        pages.append(page)
    return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_have_each_group_once_and_whole(graph: Graph, town: Town, limit: int) -> None:
    ben = town.user()
    for day in range(5):
        town.followed_at(NOON_MS - day * DAY_MS, ben, *town.users(3))
    hidden = town.users(2)
    town.followed_at(NOON_MS - 7 * DAY_MS, ben, *hidden)
    for user in hidden:
        town.unfollow(user, ben)
    town.followed_at(NOON_MS - 9 * DAY_MS, ben, town.user())
    pages = pages_of(graph, ben, limit)
    groups = [group for page in pages for group in page]
    assert groups == groups_of(graph, ben)
    assert [group.actor_count for group in groups] == [3] * 5 + [1]
    assert all(one.id > other.id for one, other in pairwise(groups))
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_a_group_whose_newest_actor_leaves_between_two_pages_is_not_shown_again(
    graph: Graph, town: Town
) -> None:
    ben, ana, bo = town.user(), town.user("Ana"), town.user("Bo")
    town.followed_at(NOON_MS - DAY_MS, ben, town.user("Cy"))
    town.followed_at(NOON_MS, ben, ana, bo)
    [first], before = graph.notifications.groups(ben, before=MAX_ID, limit=1)
    assert first.text == "Bo and Ana followed you"
    town.unfollow(bo, ben)
    assert before
    [second], _ = graph.notifications.groups(ben, before=before, limit=1)
    assert second.text == "Cy followed you"
    assert texts_of(graph, ben) == ["Ana followed you", "Cy followed you"]


def test_the_position_only_moves_forward_and_leaves_the_newer_unread(
    graph: Graph, town: Town
) -> None:
    ben = town.user()
    ids = town.followed_at(NOON_MS, ben, *town.users(3))
    unread = graph.notifications.unread(ben)
    assert (unread.count, unread.capped, unread.newest_id) == (3, False, ids[2])
    for position, left in [(ids[1], 1), (ids[0], 1), (ids[2], 0), (0, 0)]:
        graph.notifications.move_position(ben, position)
        unread = graph.notifications.unread(ben)
        assert (unread.count, unread.newest_id) == (left, ids[2])


def test_concurrent_moves_end_at_the_highest(graph: Graph, town: Town) -> None:
    ben = town.user()
    moves = [partial(graph.notifications.move_position, ben, n) for n in range(1, 17)]
    assert not errors(run_together(*moves))
    [row] = town.query("MATCH (u:User {id: $id}) RETURN u.notification_position AS at", id=ben)
    assert row["at"] == 16


def test_the_position_of_an_absent_user_is_not_found(graph: Graph) -> None:
    with pytest.raises(NotFoundError):
        graph.notifications.move_position(1, 1)


def test_the_newest_id_is_of_one_that_is_shown(graph: Graph, town: Town) -> None:
    ben, ana, bo = town.users(3)
    shown, hidden = town.followed_at(NOON_MS, ben, ana, bo)
    town.unfollow(bo, ben)
    assert graph.notifications.unread(ben).newest_id == shown
    assert graph.notifications.newest_ids([ben]) == {ben: hidden}


def test_the_newest_ids_are_of_many_users_and_zero_without_any(graph: Graph, town: Town) -> None:
    ana, ben, none = town.users(3)
    *_, newest = town.followed_at(NOON_MS, ana, ben, none)
    [other] = town.followed_at(NOON_MS - DAY_MS, ben, ana)
    ids = graph.notifications.newest_ids([ben, none, ana])
    assert ids == {ana: newest, ben: other, none: 0}
    assert graph.notifications.newest_ids([]) == {}


@pytest.mark.parametrize(("extra", "capped"), [(0, False), (1, True)])
def test_the_count_is_capped_at_100(graph: Graph, town: Town, extra: int, capped: bool) -> None:
    ben = town.user()
    town.followed_at(NOON_MS, ben, *town.users(COUNT_CAP + extra))
    unread = graph.notifications.unread(ben)
    assert (unread.count, unread.capped) == (COUNT_CAP, capped)


def test_old_notifications_are_deleted_a_page_at_a_time(graph: Graph, town: Town) -> None:
    ben = town.user()
    old = town.followed_at(EPOCH_MS, ben, *town.users(5))  # ids below those of all other tests
    [kept] = town.followed_at(NOON_MS, ben, town.user())
    deleted = [graph.notifications.delete_old(old[-1] + 1, 2) for _ in range(4)]
    assert deleted == [2, 2, 1, 0]
    assert [one["id"] for one in town.notifications_of(ben)] == [kept]


def deadlocks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The deadlocks that statements of this process run into from now on."""
    codes: list[str] = []
    is_transient = retries.is_transient

    def record(error: Exception) -> bool:
        code = getattr(error, "code", None) or ""
        if "Deadlock" in code:
            codes.append(code)
        return is_transient(error)

    monkeypatch.setattr(retries, "is_transient", record)
    return codes


def test_sixteen_follows_and_unfollows_of_one_pair_create_one_notification_without_deadlock(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = deadlocks(monkeypatch)
    for _ in range(5):
        ana, ben = town.users(2)
        calls = [partial(town.follow, ana, ben), partial(town.unfollow, ana, ben)] * 8
        assert not errors(run_together(*calls))
        assert one_a_pair_and_day(town, ben)
        assert len(town.notifications_of(ben)) in {1, 2}  # 2 only at midnight
    assert found == []
    town.forget_events()


def test_many_followers_of_one_user_create_one_notification_each_without_deadlock(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = deadlocks(monkeypatch)
    ben, *people = town.users(161)

    def follow_all(part: int) -> None:
        for follower in people[part::16]:
            town.follow(follower, ben)

    assert not errors(run_together(*[partial(follow_all, part) for part in range(16)]))
    assert {one["actor_id"] for one in town.notifications_of(ben)} == set(people)
    assert one_a_pair_and_day(town, ben)
    assert found == []
    town.forget_events()


def test_sixteen_followers_who_come_and_go_create_one_notification_each(town: Town) -> None:
    ben, *people = town.users(17)

    def storm(follower: int) -> None:
        for _ in range(3):
            town.follow(follower, ben)
            town.unfollow(follower, ben)

    assert not errors(run_together(*[partial(storm, follower) for follower in people]))
    assert one_a_pair_and_day(town, ben)
    assert {one["actor_id"] for one in town.notifications_of(ben)} == set(people)
    town.forget_events()


def test_opposite_follows_among_blocks_create_at_most_one_notification_a_pair(
    graph: Graph, town: Town
) -> None:
    ana, ben = town.users(2)
    calls = [
        partial(town.follow, ana, ben),
        partial(town.follow, ben, ana),
        partial(town.unfollow, ana, ben),
        partial(town.block, ben, ana),
    ] * 4
    found = errors(run_together(*calls))
    assert all(isinstance(error, NotFoundError) for error in found)
    for user in (ana, ben):
        keys = [(one["actor_id"], one["day"]) for one in town.notifications_of(user)]
        assert len(keys) == len(set(keys))
        assert groups_of(graph, user) == []
    town.forget_events()
