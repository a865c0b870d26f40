"""Push subscriptions in the graph: one an endpoint, of a session, which they end with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from drill.support.push_service import Browser
from graph import Graph
from graph.errors import NotFoundError, PushSubscriptionTakenError
from graph.ids import new_id
from graph.push_subscriptions import MOST, PARTITIONS, NewPushSubscription, PushSubscription
from storage.redis import partitions
from tests.support.concurrency import errors, run_together
from tests.support.town import Town

ORIGIN = "https://push.test"
OTHER_KEYS: dict[str, Any] = {"p256dh": Browser(ORIGIN).p256dh, "auth": "A" * 22}


def session_of(graph: Graph, user_id: int, *, hours: float = 1) -> int:
    return graph.sessions.create(
        session_id=new_id(),
        user_id=user_id,
        secret_sha256="5e" * 32,
        expires_at=datetime.now(UTC) + timedelta(hours=hours),
    ).session.id


def subscribe(
    graph: Graph,
    user_id: int,
    session_id: int | None = None,
    new: NewPushSubscription | None = None,
) -> PushSubscription:
    """A subscription, by default of a new session and a new browser."""
    stored, _ = graph.push_subscriptions.create(
        new or Browser(ORIGIN).new_subscription,
        user_id=user_id,
        session_id=session_id or session_of(graph, user_id),
    )
    return stored


def ids_of(graph: Graph, user_id: int) -> list[int]:
    return [one.id for one in graph.push_subscriptions.of_user(user_id)]


def nodes_of(town: Town, user_id: int) -> list[dict[str, Any]]:
    rows = town.query("MATCH (n:PushSubscription {user_id: $id}) RETURN n {.*} AS n", id=user_id)
    return [row["n"] for row in rows]


def is_walked(graph: Graph, user_id: int) -> bool:
    """Whether a walk of the user's partition finds the user."""
    page = graph.push_subscriptions.subscribed_users(
        partitions.partition_of(user_id), after=user_id - 1, limit=50
    )
    return user_id in {user.user_id for user in page.users}


def test_a_subscription_is_read_as_it_was_stored(graph: Graph, town: Town) -> None:
    user = town.user()
    session_id = session_of(graph, user)
    new = Browser(ORIGIN).new_subscription
    stored, created = graph.push_subscriptions.create(new, user_id=user, session_id=session_id)
    assert created
    assert (stored.user_id, stored.session_id) == (user, session_id)
    assert (stored.endpoint, stored.p256dh, stored.auth) == (new.endpoint, new.p256dh, new.auth)
    assert graph.push_subscriptions.of_user(user) == [stored]
    assert is_walked(graph, user)


def test_the_partitions_are_those_of_the_cache() -> None:
    assert partitions.COUNT == PARTITIONS
    for user_id in (0, 1, 63, 64, new_id()):
        assert partitions.partition_of(user_id) == user_id % PARTITIONS


def test_a_repeat_finds_the_subscription_and_a_new_session_takes_it(
    graph: Graph, town: Town
) -> None:
    user = town.user()
    new = Browser(ORIGIN).new_subscription
    first = subscribe(graph, user, new=new)
    session_id = session_of(graph, user)
    for _ in range(2):
        again, created = graph.push_subscriptions.create(new, user_id=user, session_id=session_id)
        assert not created
        assert (again.id, again.session_id) == (first.id, session_id)
    graph.sessions.delete(first.session_id, user_id=user)
    assert ids_of(graph, user) == [first.id]


def test_the_next_user_of_a_browser_takes_the_subscription_as_a_new_one(
    graph: Graph, town: Town
) -> None:
    ana, ben = town.user(), town.user()
    new = Browser(ORIGIN).new_subscription
    first = subscribe(graph, ana, new=new)
    session_id = session_of(graph, ben)
    moved, created = graph.push_subscriptions.create(new, user_id=ben, session_id=session_id)
    assert created
    assert moved.id > first.id
    assert ids_of(graph, ana) == []
    assert graph.push_subscriptions.of_user(ben) == [moved]
    assert (is_walked(graph, ana), is_walked(graph, ben)) == (False, True)
    graph.sessions.delete(first.session_id, user_id=ana)
    assert not graph.push_subscriptions.end(first.id, user_id=ana)
    assert not graph.push_subscriptions.end(moved.id, user_id=ana)
    assert graph.push_subscriptions.delete([first.id]) == 0
    assert ids_of(graph, ben) == [moved.id]


def test_other_keys_replace_those_of_the_same_user_alone(graph: Graph, town: Town) -> None:
    ana, ben = town.user(), town.user()
    new = Browser(ORIGIN).new_subscription
    first = subscribe(graph, ana, new=new)
    changes: list[dict[str, Any]] = [{name: OTHER_KEYS[name]} for name in OTHER_KEYS]
    for change in (OTHER_KEYS, *changes):
        with pytest.raises(PushSubscriptionTakenError):
            subscribe(graph, ben, new=replace(new, **change))
    assert ids_of(graph, ben) == []
    assert graph.push_subscriptions.of_user(ana) == [first]
    replaced = subscribe(graph, ana, new=replace(new, **OTHER_KEYS))
    assert (replaced.id, replaced.p256dh) == (first.id, OTHER_KEYS["p256dh"])
    assert graph.push_subscriptions.of_user(ana) == [replaced]


def test_an_ended_session_gets_no_subscription(graph: Graph, town: Town) -> None:
    user = town.user()
    ended, expired = session_of(graph, user), session_of(graph, user, hours=-1)
    graph.sessions.delete(ended, user_id=user)
    others = session_of(graph, town.user())
    for session_id in (ended, expired, others, new_id()):
        with pytest.raises(NotFoundError):
            subscribe(graph, user, session_id)
    assert nodes_of(town, user) == []


def sign_out(graph: Graph, user_id: int, session_id: int, keep: int) -> None:
    assert keep
    graph.sessions.delete(session_id, user_id=user_id)


def change_password(graph: Graph, user_id: int, session_id: int, keep: int) -> None:
    old_hash = graph.users.password_hash(user_id)
    ended = graph.users.set_password(user_id, "new", checked_hash=old_hash, keep_session_id=keep)
    assert session_id in ended.ids


@pytest.mark.parametrize("end", [sign_out, change_password])
def test_a_subscription_ends_with_its_session_and_no_other_does(
    graph: Graph, town: Town, end: Callable[[Graph, int, int, int], None]
) -> None:
    user, other = town.user(), town.user()
    session_id, keep = session_of(graph, user), session_of(graph, user)
    for _ in range(2):
        subscribe(graph, user, session_id)
    kept, others = subscribe(graph, user, keep), subscribe(graph, other)
    end(graph, user, session_id, keep)
    assert [node["id"] for node in nodes_of(town, user)] == [kept.id]
    assert ids_of(graph, user) == [kept.id]
    assert ids_of(graph, other) == [others.id]
    end(graph, user, session_id, keep)
    assert ids_of(graph, user) == [kept.id]


def test_an_expired_session_is_not_sent_to_and_is_cleared_with_its_subscriptions(
    graph: Graph, town: Town
) -> None:
    user = town.user()
    long_over, over, live = (subscribe(graph, user) for _ in range(3))
    for one, hours in ((long_over, 25), (over, 1)):
        town.query(
            "MATCH (s:Session {id: $id}) SET s.expires_at = timestamp() - $ms",
            id=one.session_id,
            ms=hours * 3_600_000,
        )
    assert ids_of(graph, user) == [live.id]
    while graph.sessions.delete_expired(1_000):
        pass
    assert {node["id"] for node in nodes_of(town, user)} == {over.id, live.id}
    graph.sessions.delete(live.session_id, user_id=user)
    assert not is_walked(graph, user)


def test_a_session_that_does_not_exist_is_not_sent_to(graph: Graph, town: Town) -> None:
    user = town.user()
    stored = subscribe(graph, user)
    town.query("MATCH (s:Session {id: $id}) DELETE s", id=stored.session_id)
    assert ids_of(graph, user) == []
    assert not is_walked(graph, user)


def test_an_expired_subscription_is_not_sent_to(graph: Graph, town: Town) -> None:
    user = town.user()
    now = datetime.now(UTC)
    lasting = replace(Browser(ORIGIN).new_subscription, expires_at=now + timedelta(hours=1))
    stored = subscribe(graph, user, new=lasting)
    assert ids_of(graph, user) == [stored.id]
    assert is_walked(graph, user)
    over = replace(lasting, expires_at=now - timedelta(seconds=1))
    subscribe(graph, user, new=over)
    assert ids_of(graph, user) == []
    assert not is_walked(graph, user)


def test_an_ended_subscription_is_stored_for_a_day_without_its_secrets(
    graph: Graph, town: Town
) -> None:
    user, other = town.user(), town.user()
    new = Browser(ORIGIN).new_subscription
    stored = subscribe(graph, user, new=new)
    assert not graph.push_subscriptions.end(stored.id, user_id=other)
    for _ in range(2):
        assert graph.push_subscriptions.end(stored.id, user_id=user)
        assert ids_of(graph, user) == []
        assert not is_walked(graph, user)
    [node] = nodes_of(town, user)
    assert set(node) == {"id", "user_id", "created_at", "ended_at"}
    graph.push_subscriptions.delete_ended(1_000)
    assert graph.push_subscriptions.end(stored.id, user_id=user)
    town.query(
        "MATCH (n:PushSubscription {id: $id}) SET n.ended_at = n.ended_at - 86400001", id=stored.id
    )
    while graph.push_subscriptions.delete_ended(1_000):
        pass
    assert not graph.push_subscriptions.end(stored.id, user_id=user)
    assert subscribe(graph, user, new=new).id != stored.id


def test_a_user_has_a_bounded_number_and_the_oldest_goes(graph: Graph, town: Town) -> None:
    user, other = town.user(), town.user()
    session_id = session_of(graph, user)
    untouched = subscribe(graph, other)
    first_new = Browser(ORIGIN).new_subscription
    first = subscribe(graph, user, session_id, first_new)
    later = [subscribe(graph, user, session_id).id for _ in range(MOST)]
    assert ids_of(graph, user) == later[::-1]
    assert len(nodes_of(town, user)) == MOST
    assert first.id not in later
    assert ids_of(graph, other) == [untouched.id]
    again = subscribe(graph, user, session_id, first_new)
    assert ids_of(graph, user) == [again.id, *later[:0:-1]]


def test_subscriptions_that_a_service_does_not_know_are_deleted(graph: Graph, town: Town) -> None:
    user, other = town.user(), town.user()
    gone, kept, others = subscribe(graph, user), subscribe(graph, user), subscribe(graph, other)
    assert graph.push_subscriptions.delete([gone.id, others.id, new_id()]) == 2
    assert ids_of(graph, user) == [kept.id]
    assert nodes_of(town, other) == []


def test_a_partition_is_walked_in_pages(graph: Graph, town: Town) -> None:
    partition = 77 % PARTITIONS
    start = new_id()
    user_ids = [start - start % PARTITIONS + PARTITIONS * (n + 1) + partition for n in range(30)]
    town.query("UNWIND $ids AS id CREATE (:User {id: id, username_ci: 'p' + id, state: 'active',"
               " password_hash: 'x'})", ids=user_ids)  # fmt: skip
    expected = {}
    for number, user_id in enumerate(user_ids):
        session_id = session_of(graph, user_id)
        stored = [subscribe(graph, user_id, session_id).id for _ in range(1 + number % 3)]
        if number % 5 == 0:
            graph.sessions.delete(session_id, user_id=user_id)
        else:
            expected[user_id] = tuple(stored)
    found: dict[int, tuple[int, ...]] = {}
    after: int | None = user_ids[0] - 1
    pages = 0
    while after is not None:
        page = graph.push_subscriptions.subscribed_users(partition, after=after, limit=41)
        assert [user.user_id for user in page.users] == sorted(u.user_id for u in page.users)
        found |= {user.user_id: user.subscription_ids for user in page.users}
        after = page.next_after
        pages += 1
    assert {user: ids for user, ids in found.items() if user in expected} == expected
    assert not found.keys() & (set(user_ids) - expected.keys())
    assert pages >= 2


def test_concurrent_requests_for_one_endpoint_store_it_once(graph: Graph, town: Town) -> None:
    users = [town.user() for _ in range(4)]
    new = Browser(ORIGIN).new_subscription
    calls = [
        partial(subscribe, graph, user, session_of(graph, user), new)
        for user in users
        for _ in range(3)
    ]
    outcomes = run_together(*calls)
    assert errors(outcomes) == []
    assert sum(len(ids_of(graph, user)) for user in users) == 1


def test_a_subscription_during_a_sign_out_does_not_outlive_it(graph: Graph, town: Town) -> None:
    user = town.user()
    for _ in range(5):
        session_id = session_of(graph, user)
        outcomes = run_together(
            *[partial(subscribe, graph, user, session_id) for _ in range(6)],
            partial(graph.sessions.delete, session_id, user_id=user),
        )
        assert all(isinstance(error, NotFoundError) for error in errors(outcomes))
        assert nodes_of(town, user) == []


def test_a_sign_out_during_a_move_to_another_user_leaves_it_to_that_user(
    graph: Graph, town: Town
) -> None:
    for _ in range(8):
        ana, ben = town.user(), town.user()
        new = Browser(ORIGIN).new_subscription
        first = subscribe(graph, ana, new=new)
        session_id = session_of(graph, ben)
        outcomes = run_together(
            partial(graph.sessions.delete, first.session_id, user_id=ana),
            partial(subscribe, graph, ben, session_id, new),
        )
        assert errors(outcomes) == []
        assert ids_of(graph, ana) == []
        assert len(ids_of(graph, ben)) == 1
