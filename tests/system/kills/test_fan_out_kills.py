"""Fan-out workers that are killed or stopped in the middle of their work: 7, 8, 10, 12 and 13."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from drill.support.proxy import Hold
from graph.events import ATTEMPTS, Event
from storage import Storage
from tests.feed.races.test_fencing import audience
from tests.support.eventually import eventually
from tests.support.stage import Stage
from tests.system.journeys.people import B_SECONDS
from tests.system.kills.site import Proxies, Site, page

PAGE = 3
"""Followers a page here, so that a few of them are several pages."""
CHUNK = 2 * PAGE
"""What a killed worker may push again: the page pushed, and the one being ticked off meanwhile."""
KILLS = 20


def before_the_first_page(to: Proxies) -> Hold:
    hold = to.hold_query("follows/followers_page")
    hold.wait(B_SECONDS)
    return hold


def between_push_and_advance(to: Proxies) -> Hold:
    hold = to.hold_query("events/advance")
    hold.wait(B_SECONDS)
    return hold


def before_the_finish(to: Proxies) -> Hold:
    hold = to.hold_query("events/finish")
    hold.wait(B_SECONDS)
    return hold


def settled(stage: Stage, event: Event) -> bool:
    """Whether the event has come to its end."""
    return stage.town.find_event(event.id) is None


def standing(stage: Stage, event: Event) -> Event:
    """The event as it is now."""
    found = stage.town.find_event(event.id)
    assert found
    return found


def rung(stage: Stage, bell: Storage, event: Event) -> None:
    """Its lease over, its bell rung: for tests that do not ask the sweeper to."""
    stage.town.end_lease(event.id)
    bell.queues.wake(standing(stage, event))


def published(stage: Stage, author: int) -> tuple[int, Event]:
    """A post whose first bell nobody rang: the sweeper does it, at once."""
    post, event = stage.town.post(author)
    stage.town.end_lease(event.id)
    return post, event


# Case 7
@pytest.mark.parametrize(
    "reach", [before_the_first_page, between_push_and_advance, before_the_finish]
)
def test_a_worker_killed_at_any_step_costs_a_chunk_pushed_again_and_no_post(
    stage: Stage, site: Site, reach: Callable[[Proxies], Hold]
) -> None:
    author, followers = audience(stage, 3 * PAGE + 1)
    worker = site.worker("fanout", constants=page(PAGE))
    site.worker("sweeper")
    post, event = published(stage, author)
    reach(worker.to)
    worker.kill()
    site.worker("fanout", constants=page(PAGE))
    eventually(lambda: settled(stage, event), seconds=B_SECONDS)
    pushes = [stage.entries(follower).count(post) for follower in followers]
    assert min(pushes) == 1
    assert sum(pushes) - len(pushes) <= CHUNK
    for follower in followers:
        stage.check_feed(follower)


# Case 8
def test_a_worker_stopped_past_its_lease_and_overtaken_is_fenced_when_it_goes_on(
    stage: Stage, site: Site, bell: Storage
) -> None:
    author, followers = audience(stage, 2 * PAGE)
    slow = site.worker("fanout", constants=page(PAGE))
    post, event = stage.town.post(author)
    rung(stage, bell, event)
    hold = slow.to.hold_query("follows/followers_page", side="answer")
    hold.wait(B_SECONDS)
    slow.stop()
    hold.release()  # the page lies in its socket: it has been read, as far as the graph knows
    other = site.worker("fanout", constants=page(PAGE))
    rung(stage, bell, event)
    eventually(lambda: settled(stage, event), seconds=B_SECONDS)
    newer, second = stage.town.post(author)
    rung(stage, bell, second)
    eventually(lambda: settled(stage, second), seconds=B_SECONDS)
    slow.go_on()
    eventually(lambda: slow.outcomes(event.id), seconds=B_SECONDS)
    assert slow.outcomes(event.id) == ["fenced"]
    assert other.outcomes(event.id) == ["done"]
    for follower in followers:
        assert stage.entries(follower).count(post) <= 2
        assert stage.entries(follower).count(newer) == 1
        stage.check_feed(follower)


# Case 10
def test_jobs_three_times_shuffled_and_stale_leave_every_feed_as_it_must_be(
    stage: Stage, site: Site, bell: Storage
) -> None:
    author, followers = audience(stage, PAGE)
    events = [stage.town.post(author)[1] for _ in range(6)]
    jobs = [replace(event, epoch=epoch) for event in events for epoch in (0, 0, 0, 1, 2, 7)]
    random.Random(10).shuffle(jobs)
    for job in jobs:
        bell.queues.enqueue(job)
    workers = [site.worker("fanout", constants=page(1)) for _ in range(2)]
    eventually(lambda: all(settled(stage, event) for event in events), seconds=B_SECONDS)
    eventually(lambda: bell.queues.depth("fanout") == 0, seconds=B_SECONDS)
    for event in events:
        outcomes = [outcome for worker in workers for outcome in worker.outcomes(event.id)]
        assert outcomes == ["done"]
    for follower in followers:
        assert len(stage.entries(follower)) == len(events) + 1
        stage.check_feed(follower)


# Case 12
def test_an_event_that_kills_its_worker_each_time_is_quarantined_and_holds_up_nobody(
    stage: Stage, site: Site, bell: Storage
) -> None:
    author, followers = audience(stage, 2)
    other, others = audience(stage, 2)
    worker = site.worker("fanout")
    poison, event = stage.town.post(author)
    for attempt in range(ATTEMPTS):
        hold = worker.to.cache.hold(b"p:%d" % poison)  # the first thing that it looks at
        rung(stage, bell, event)
        bell.queues.wake(stage.town.post(other)[1])
        hold.wait(B_SECONDS)
        assert standing(stage, event).attempts == attempt + 1
        worker.kill()
        worker = site.worker("fanout")
    rung(stage, bell, event)
    eventually(lambda: in_quarantine(stage, event), seconds=B_SECONDS)
    eventually(lambda: not stage.town.events_of(other), seconds=B_SECONDS)
    for follower in others:
        stage.check_feed(follower)
    requeued = stage.graph.events.requeue(event.id)
    assert requeued
    bell.queues.wake(requeued)
    eventually(lambda: settled(stage, event), seconds=B_SECONDS)
    for follower in followers:
        stage.check_feed(follower)


# Case 13
@pytest.mark.timeout(300)
def test_a_fan_out_killed_twenty_times_after_progress_goes_on_from_its_cursor(
    stage: Stage, site: Site, bell: Storage
) -> None:
    author, followers = audience(stage, KILLS + 2)
    post, event = stage.town.post(author)
    for kill in range(KILLS):
        worker = site.worker("fanout", constants=page(1))
        hold = worker.to.hold_query("events/advance", side="answer")
        rung(stage, bell, event)
        hold.wait(B_SECONDS)
        reached = followers[kill]
        eventually(lambda: standing(stage, event).cursor == reached)  # noqa: B023 - called here
        worker.kill()
        assert standing(stage, event).attempts <= 1
    site.worker("fanout", constants=page(1))
    rung(stage, bell, event)
    eventually(lambda: settled(stage, event), seconds=B_SECONDS)
    for follower in followers:
        assert stage.entries(follower).count(post) <= CHUNK // PAGE
        stage.check_feed(follower)


def in_quarantine(stage: Stage, event: Event) -> bool:
    return event.id in [found.id for found in stage.graph.events.quarantine_page(1000)]
