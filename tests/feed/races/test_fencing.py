"""Many workers, one event: a worker that lost its lease stops (cases 8, 10 and 12)."""

import random

import pytest

from graph.events import ATTEMPTS
from storage.timeline_layout import timeline_key
from tests.feed.races.test_order import DAY, past_ids
from tests.support.outbox import claim, run
from tests.support.stage import Stage
from workers import fan_out


# Case 8
def test_a_worker_stopped_past_its_lease_is_fenced_and_the_feeds_are_right(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 1)
    author, followers = stage.audience(4)
    post, event = stage.town.post(author)
    hold, stopped = stage.hold_job(event, "events/advance")
    stage.town.end_lease(event.id)
    overdue = stage.town.find_event(event.id)
    assert stage.do(overdue) == "done"
    hold.release()
    assert stopped.result(10) == "fenced"
    pushes = [stage.entries(follower).count(post) for follower in followers]
    assert pushes == [2, 2, 1, 1], "it finished its page and stopped"
    for follower in followers:
        stage.check_feed(follower)


# Case 8
def test_a_fenced_worker_does_not_move_the_cursor_of_the_new_claimant(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 1)
    author, followers = stage.audience(3)
    _post, event = stage.town.post(author)
    hold, stopped = stage.hold_job(event, "events/advance")
    stage.town.end_lease(event.id)
    overdue = stage.town.find_event(event.id)
    assert overdue
    other = claim(stage.graph, event.id, overdue.epoch)
    assert other
    assert stage.graph.events.advance(event.id, other.epoch, followers[1])
    hold.release()
    assert stopped.result(10) == "fenced"
    latest = stage.town.find_event(event.id)
    assert latest
    assert latest.cursor == followers[1]


# Case 8
def test_a_worker_fenced_before_its_finish_does_not_finish_the_event(stage: Stage) -> None:
    author, followers = stage.audience(1)
    _post, event = stage.town.post(author)
    late, stopped = stage.hold_job(event, "events/finish")
    stage.town.end_lease(event.id)
    second = stage.town.find_event(event.id)
    assert second
    hold, working = stage.hold_job(second, "events/finish")
    late.release()
    assert stopped.result(10) == "fenced"
    assert stage.town.find_event(event.id), "the event belongs to the other worker"
    hold.release()
    assert working.result(10) == "done"
    assert stage.town.find_event(event.id) is None
    stage.check_feed(followers[0])


# Case 7
def test_a_fan_out_that_died_continues_from_its_cursor(stage: Stage) -> None:
    author, followers = stage.audience(4)
    post, event = stage.town.post(author)
    claimed = claim(stage.graph, event.id, event.epoch)
    assert claimed
    stage.storage.timelines.push([author, *followers[:2]], post, read_at=float("inf"))
    assert stage.graph.events.advance(event.id, claimed.epoch, followers[1])
    stage.town.end_lease(event.id)
    assert stage.do(stage.town.find_event(event.id)) == "done"
    for follower in followers:
        assert stage.entries(follower).count(post) == 1, "nothing is pushed again"
        stage.check_feed(follower)


# Case 10
def test_every_job_three_times_shuffled_with_stale_epochs_ends_in_the_same_state(
    stage: Stage,
) -> None:
    shuffle = random.Random(10)
    author, followers = stage.audience(3)
    for _ in range(3):
        stage.town.post(author)
    for follower in followers:
        stage.town.unfollow(follower, author)
        stage.graph.follows.create(follower_id=follower, followee_id=author)
    events = stage.town.events_of(author)
    assert len(events) == 9
    jobs = [(event.id, event.epoch + stale) for event in events for stale in (0, 0, 0, -1, 1)]
    shuffle.shuffle(jobs)
    for event_id, epoch in jobs:
        run(stage.graph, stage.storage, event_id, epoch)
    stage.do_all(author, *followers)
    for user in (author, *followers):
        stage.check_feed(user, rebuilds=True)
        stage.check_feed(user)


# Case 12
def test_a_poison_event_is_quarantined_after_eight_attempts_and_delays_no_other(
    stage: Stage,
) -> None:
    author, followers = stage.audience(1)
    culprit = stage.town.user()
    _post, poison = stage.town.post(culprit)
    stage.storage.cache.client.set(timeline_key(culprit), "no list", ex=60)
    for attempt in range(ATTEMPTS):
        stage.town.end_lease(poison.id)
        event = stage.town.find_event(poison.id)
        assert event
        assert event.attempts == attempt
        assert stage.do(event) == "failed"
        stage.do(stage.town.post(author)[1])
    stage.town.put_off_all()
    stage.town.end_lease(poison.id)
    assert stage.drain(poison)[poison.id] == "quarantined"
    assert poison.id in [event.id for event in stage.graph.events.quarantine_page(1000)]
    stage.check_feed(followers[0])
    stage.town.query("MATCH (e:Event {id: $id}) DELETE e", id=poison.id)


# Cases 12 and 26
def test_a_post_requeued_from_quarantine_days_later_lands_in_its_place(stage: Stage) -> None:
    author, followers = stage.audience(2)
    [old] = stage.town.old_posts(author, past_ids(3 * DAY, 1))
    stage.do(stage.town.post(author)[1])
    stage.town.put_off_all()
    quarantined = stage.town.event("post-published", old, author, attempts=ATTEMPTS)
    assert stage.drain(quarantined)[quarantined.id] == "quarantined"
    requeued = stage.graph.events.requeue(quarantined.id)
    assert stage.do(requeued) == "done"
    for follower in followers:
        assert stage.entries(follower).index(old) == 1
        stage.check_feed(follower)
