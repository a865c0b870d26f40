"""Fan-out of several posts together: one read of followers, common buffers, one statement."""

import random
import time
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from graph.events import Event
from graph.ids import ms_of, new_id
from graph.queries import Query
from storage.errors import StorageUnavailableError
from storage.pushing import LATE_SECONDS, MAX_AGE_SECONDS, Pushes
from storage.timeline_layout import timeline_key
from storage.timelines import Timelines
from tests.support.eventually import eventually
from tests.support.stage import Stage
from workers import fan_out_batch, outbox
from workers.handlers import BATCH_HANDLERS
from workers.outages import Outages


@pytest.fixture(autouse=True)
def _alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.town.put_off_all()
    monkeypatch.setattr(outbox, "_outages", Outages())


def in_one_shard(stage: Stage, *events: Event) -> list[Event]:
    """These events, due, in shard 3 of their queue."""
    stage.town.query(
        "UNWIND $ids AS id MATCH (event:Event {id: id}) SET event.shard = 3",
        ids=[event.id for event in events],
    )
    found = [stage.town.find_event(event.id) for event in events]
    return [event for event in found if event]


def test_posts_of_small_and_medium_authors_reach_every_follower_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    generator = random.Random(seed)
    monkeypatch.setattr(fan_out_batch, "SHORTEST_PAGE", 3)
    monkeypatch.setattr(fan_out_batch, "FIRST_PAGE", 0)
    audiences = [stage.audience(generator.choice((0, 1, 2, 3, 4, 9))) for _ in range(6)]
    events = [
        stage.town.post(author)[1]
        for author, _ in audiences
        for _ in range(generator.choice((1, 2)))
    ]
    [first, *_] = in_one_shard(stage, *events)
    outcomes = stage.drain(first)
    assert Counter(outcomes.values()) == {"done": len(events)}
    for author, followers in audiences:
        posts = [event.subject_id for event in events if event.author_id == author]
        for user in (author, *followers):
            entries = Counter(stage.entries(user))
            assert all(entries[post] == 1 for post in posts), "none is pushed twice without a fault"
            stage.check_feed(user)


def test_a_batch_reads_followers_once_and_finishes_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [stage.town.post(stage.town.user())[1] for _ in range(20)]
    [first, *_] = in_one_shard(stage, *events)
    names: list[str] = []
    connection = stage.graph.connection
    for method in ("read", "write"):
        send = getattr(connection, method)

        def count(query: Query, *, send: Any = send, **parameters: Any) -> Any:
            names.append(query.name)
            return send(query, **parameters)

        monkeypatch.setattr(connection, method, count)
    assert Counter(stage.drain(first).values()) == {"done": 20}
    assert names.count("follows/first_followers") == 1
    assert names.count("events/finish") == 1
    assert names.count("events/claim") == 1
    assert "follows/followers_page" not in names


def test_late_and_fresh_posts_share_a_buffer_and_take_their_places(stage: Stage) -> None:
    viewer, *authors = stage.town.users(3)
    stage.town.add_followees(viewer, *authors)
    stage.build(viewer)
    late_id = new_id(int(time.time() * 1000) - int(1000 * LATE_SECONDS) - 5_000)
    assert ms_of(late_id) / 1000 < time.time() - LATE_SECONDS
    [late_id] = stage.town.old_posts(authors[0], [late_id])
    late = stage.town.event("post-published", late_id, authors[0])
    newer, fresh = stage.town.post(authors[1])
    [first, *_] = in_one_shard(stage, fresh, late)
    assert Counter(stage.drain(first).values()) == {"done": 2}
    assert [entry for entry in stage.entries(viewer) if entry > 0] == [late_id, newer]
    stage.check_feed(viewer)


def test_a_deleted_post_ends_its_event_and_no_other(stage: Stage) -> None:
    author, followers = stage.audience(2)
    deleted, event = stage.town.post(author)
    kept, other = stage.town.post(author)
    [first, _] = in_one_shard(stage, event, other)
    stage.graph.posts.delete(deleted, author_id=author)
    assert Counter(stage.drain(first).values()) == {"done": 2}
    for follower in followers:
        assert [entry for entry in stage.entries(follower) if entry > 0] == [kept]


def test_a_fault_of_the_common_work_leaves_each_post_to_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    author, followers = stage.audience(2)
    events = in_one_shard(stage, *(stage.town.post(author)[1] for _ in range(3)))
    monkeypatch.setitem(BATCH_HANDLERS, "post-published", fail)
    with capture_logs() as lines:
        assert Counter(stage.drain(events[0]).values()) == {"done": 3}
    assert "batch failed" in [line["event"] for line in lines]
    for follower in followers:
        stage.check_feed(follower)


def test_a_key_of_the_wrong_type_fails_the_posts_of_its_user_alone(stage: Stage) -> None:
    author, followers = stage.audience(2)
    culprit = stage.town.user()
    stage.storage.cache.client.set(timeline_key(culprit), "no list", ex=60)
    events = in_one_shard(
        stage, stage.town.post(culprit)[1], *(stage.town.post(author)[1] for _ in range(3))
    )
    outcomes = stage.drain(events[0])
    assert outcomes == {event.id: "failed" if event is events[0] else "done" for event in events}
    for follower in followers:
        stage.check_feed(follower)
    stage.evict_list(culprit)


def test_pages_that_grew_old_are_read_again_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, followers = stage.audience(3)
    events = in_one_shard(stage, *(stage.town.post(author)[1] for _ in range(3)))
    push_many, calls = Timelines.push_many, list[int]()

    def push_late(self: Timelines, pushes: Pushes, *, read_at: float) -> int:
        calls.append(len(pushes))
        age = MAX_AGE_SECONDS + 1 if len(calls) == 1 else 0
        return push_many(self, pushes, read_at=read_at - age)

    monkeypatch.setattr(Timelines, "push_many", push_late)
    assert Counter(stage.drain(events[0]).values()) == {"done": 3}
    assert calls == [3, 1, 1, 1]
    for follower in followers:
        stage.check_feed(follower)


# Case 50
def test_while_the_cache_is_away_no_event_is_claimed_and_no_follower_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxied = stage.behind_proxies()
    events = in_one_shard(stage, *(stage.town.post(stage.town.user())[1] for _ in range(3)))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the graph is asked")

    for shard in range(4):
        monkeypatch.setattr(outbox, "_outages", Outages())
        with monkeypatch.context() as patch, proxied.to.cache.outage():
            patch.setattr(proxied.graph.connection, "write", fail)
            patch.setattr(proxied.graph.connection, "read", fail)
            assert outbox.drain(proxied.graph, proxied.storage, "fanout", shard) == {}
    for event in events:
        assert stage.town.find_event(event.id) == event
    monkeypatch.setattr(outbox, "_outages", Outages())
    assert Counter(stage.drain(events[0]).values()) == {"done": 3}


# Case 12
def test_events_of_a_killed_worker_do_not_wait_for_a_backlog_of_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", {**outbox.BATCH, "fanout": 8})
    monkeypatch.setattr(outbox, "DRAIN_SECONDS", 60.0)  # a busy machine may do less in one
    author, followers = stage.audience(1)
    posted = in_one_shard(stage, *(stage.town.post(author)[1] for _ in range(24)))
    claimed = stage.graph.events.claim("fanout", 3, limit=8).events  # and the worker dies
    for event in claimed:
        stage.town.end_lease(event.id)
    outcomes = stage.drain(posted[0])
    assert Counter(outcomes.values()) == {"done": 24}
    order = list(outcomes)
    assert max(order.index(event.id) for event in claimed[:2]) < 8 + 8 + 2
    for follower in followers:
        stage.check_feed(follower)


# Case 20
def test_an_outage_of_the_graph_at_the_finish_is_no_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.connection.WRITE_RETRY_SECONDS", 0.2)
    proxied = stage.behind_proxies()
    events = in_one_shard(stage, *(stage.town.post(stage.town.user())[1] for _ in range(3)))
    hold = proxied.hold_query("events/finish")
    working = stage.begin(outbox.drain, proxied.graph, proxied.storage, "fanout", 3)
    hold.wait()
    proxied.to.graph.down()
    hold.release()
    refused = proxied.to.graph.refused
    eventually(lambda: proxied.to.graph.refused > refused + 12)  # several tries of finish
    proxied.to.graph.up()
    assert Counter(working.result(60).values()) == {"done": 3}
    assert not any(stage.town.find_event(event.id) for event in events)


# Case 50
def test_pushes_that_fail_release_their_events_and_keep_the_worker_from_the_queue(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageUnavailableError("cache", "OOM")

    events = in_one_shard(stage, *(stage.town.post(stage.town.user())[1] for _ in range(3)))
    with monkeypatch.context() as patch:
        patch.setattr(Timelines, "push_many", fail)
        assert Counter(stage.drain(events[0]).values()) == {"outage": 2}, "then it gives up"
        for event in events:
            stage.town.end_lease(event.id)
        assert stage.drain(events[0]) == {}, "the queue is left alone for a second"
    found = [stage.town.find_event(event.id) for event in events]
    assert [event.attempts for event in found if event] == [0, 0, 0]
    monkeypatch.setattr(outbox, "_outages", Outages())
    assert Counter(stage.drain(events[0]).values()) == {"done": 3}


def test_the_pause_after_outages_doubles_and_ends_with_a_success() -> None:
    now = time.monotonic()
    outages = Outages()
    pauses = []
    for _ in range(7):
        outages.note("fanout")
        pauses.append(round(outages._until["fanout"] - now))
    assert pauses == [1, 2, 4, 8, 16, 16, 16]
    assert outages.is_paused("fanout")
    assert not outages.is_paused("timelines")
    outages.forget("fanout")
    assert not outages.is_paused("fanout")
