"""Follows and leavings of a shard are done together: few round trips, the same results."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from graph.events import Event
from graph.notifications import MOST, TRIM_SLACK
from graph.queries import Query
from storage.notices.newest_notifications import pack_newest
from storage.timelines import DropForFollow
from tests.support.stage import Stage
from tests.workers.test_fan_out_batch import in_one_shard
from workers.handlers import BATCH_HANDLERS, HANDLERS


def follow(stage: Stage, follower: int, followee: int) -> Event:
    """A follow whose request died after its commit: its event."""
    event = stage.graph.follows.create(follower_id=follower, followee_id=followee).event
    assert event
    return event


def unfollow(stage: Stage, follower: int, followee: int) -> Event:
    """The event of an ended follow, which is due."""
    ended = stage.graph.follows.delete(follower_id=follower, followee_id=followee)
    assert ended
    assert ended.event
    stage.town.end_hold(follower)
    return ended.event


def all_done(stage: Stage, events: Sequence[Event]) -> None:
    """Drain the events' shard; all of them are done."""
    outcomes = stage.drain(events[0])
    assert [outcomes.get(event.id) for event in events] == ["done"] * len(events)


def queries_of(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts what is sent to the graph from now on, by name."""
    names: Counter[str] = Counter()
    connection = stage.graph.connection
    for method in ("read", "write"):
        send = getattr(connection, method)

        def count(query: Query, *, send: Any = send, **parameters: Any) -> Any:
            names[query.name] += 1
            return send(query, **parameters)

        monkeypatch.setattr(connection, method, count)
    return names


def test_every_kind_of_a_batch_can_be_done_alone() -> None:
    assert set(BATCH_HANDLERS) <= set(HANDLERS)


def test_the_follows_of_a_batch_cost_one_read_of_each_kind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = stage.town.users(21)
    events = [follow(stage, users[number], users[number + 1]) for number in range(20)]
    events = in_one_shard(stage, *events)
    names = queries_of(stage, monkeypatch)
    all_done(stage, events)
    for name in ("follows/followed_at", "notifications/newest_ids", "notifications/crowded"):
        assert names[name] == 1
    assert names["events/claim"] == names["events/finish"] == 1
    assert names["notifications/trim"] == 0


def test_every_follower_of_a_batch_sees_the_new_followees_posts(stage: Stage) -> None:
    followers = stage.town.users(4)
    author = stage.town.user()
    [post] = stage.town.old_posts(author, [stage.town.create_post(author).subject_id - 1000])
    for follower in followers:
        stage.build(follower)
    events = in_one_shard(stage, *(follow(stage, one, author) for one in followers))
    all_done(stage, events)
    for follower in followers:
        assert stage.entries(follower) == []
        assert post in stage.read(follower)
        stage.check_feed(follower)


def test_a_list_that_the_request_has_dropped_already_stays(stage: Stage) -> None:
    one, other, author = stage.town.users(3)
    events = in_one_shard(stage, follow(stage, one, author), follow(stage, other, author))
    times = stage.graph.follows.followed_at_ms([(one, author)])
    stage.storage.timelines.drop_for(DropForFollow(one, author, times[one, author]))
    for follower in (one, other):
        stage.build(follower)
    all_done(stage, events)
    assert stage.entries(one)
    assert stage.entries(other) == []


def test_a_batch_raises_every_followees_number_and_trims_whom_it_has_to(stage: Stage) -> None:
    ana, bo, crowded, quiet = stage.town.users(4)
    stage.town.followed_at(1_735_689_600_000, crowded, *stage.town.users(MOST + TRIM_SLACK))
    events = in_one_shard(stage, follow(stage, ana, crowded), follow(stage, bo, quiet))
    all_done(stage, events)
    assert len(stage.town.notifications_of(crowded)) == MOST
    newest = stage.graph.notifications.newest_ids([crowded, quiet])
    replies = stage.storage.cache.execute([pack_newest(crowded), pack_newest(quiet)])
    assert [int(reply) for reply in replies] == [newest[crowded], newest[quiet]]


def test_the_leavings_of_a_batch_end_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    followers = stage.town.users(5)
    author = stage.town.user()
    for follower in followers:
        stage.town.follow(follower, author)
        stage.build(follower)
        assert stage.entries(follower)
    events = [unfollow(stage, follower, author) for follower in followers]
    events = in_one_shard(stage, *events)
    names = queries_of(stage, monkeypatch)
    all_done(stage, events)
    assert names["follows/delete_left"] == 1
    pairs = [(follower, author) for follower in followers]
    assert stage.graph.follows.left_pairs(pairs) == []
    for follower in followers:
        assert stage.entries(follower) == []


def test_kinds_in_one_shard_are_done_each_with_its_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, bo, cleo, dan = stage.town.users(4)
    stage.town.follow(ana, bo)
    stage.town.follow(bo, ana)
    events = in_one_shard(
        stage,
        unfollow(stage, ana, bo),
        follow(stage, cleo, dan),
        unfollow(stage, bo, ana),
        follow(stage, dan, cleo),
    )
    names = queries_of(stage, monkeypatch)
    all_done(stage, events)
    assert names["follows/delete_left"] == names["follows/followed_at"] == 1


def test_a_fault_of_one_kind_leaves_its_events_to_themselves_and_no_other_kind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    ana, bo, cleo, dan = stage.town.users(4)
    stage.town.follow(ana, bo)
    stage.town.follow(bo, ana)
    events = in_one_shard(
        stage,
        follow(stage, cleo, dan),
        follow(stage, dan, cleo),
        unfollow(stage, ana, bo),
        unfollow(stage, bo, ana),
    )
    monkeypatch.setitem(BATCH_HANDLERS, "followed", fail)
    names = queries_of(stage, monkeypatch)
    with capture_logs() as lines:
        all_done(stage, events)
    assert [line["kind"] for line in lines if line["event"] == "batch failed"] == ["followed"]
    assert names["follows/followed_at"] == 2
    assert names["follows/delete_left"] == 1
