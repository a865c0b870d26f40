"""Fan-out workers that are killed or paused during their work (cases 7, 8, 10, 12 and 13)."""

import random
from typing import Any

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from graph.event_kinds import FANOUT
from graph.events import ATTEMPTS, Event
from storage import Storage
from storage.bell_jobs import JOB_FUNCTION
from tests.support.eventually import B_SECONDS, eventually
from tests.support.stage import Stage
from tests.system.kills.processes import Processes, page_size
from workers.outbox import BATCH

PAGE = 3
"""Followers in a page here, so that few followers make several pages."""
CHUNK = 2 * PAGE
"""The most that is pushed again after a kill: the last page pushed, and the one before it, whose
advance may have been in flight."""
KILLS = 20
OLD_JOB = "workers.jobs.work"
"""The function of a job of the version before, which names an event and an epoch."""


def is_finished(stage: Stage, event: Event) -> bool:
    return stage.town.find_event(event.id) is None


def current_state(stage: Stage, event: Event) -> Event:
    """The event as it is now in the graph."""
    latest = stage.town.find_event(event.id)
    assert latest
    return latest


def wake(stage: Stage, worker_storage: Storage, event: Event) -> None:
    """Ends the event's lease and enqueues a job for its shard, for tests without a sweeper."""
    stage.town.end_lease(event.id)
    worker_storage.queues.enqueue(event.queue, event.shard)


# Case 7: before the first page, between push and advance, before the finish
@pytest.mark.parametrize("query", ["follows/followers_page", "events/advance", "events/finish"])
def test_after_a_kill_at_any_step_at_most_a_chunk_is_pushed_again(
    stage: Stage, processes: Processes, query: str
) -> None:
    author, followers = stage.audience(3 * PAGE + 1)
    worker = processes.start_worker("fanout", constants=page_size(PAGE))
    processes.start_worker("sweeper")
    hold = worker.to.hold_query(query)
    post, event = stage.town.post(author)
    stage.town.end_lease(event.id)
    hold.wait(B_SECONDS)
    worker.kill()
    processes.start_worker("fanout", constants=page_size(PAGE))
    eventually(lambda: is_finished(stage, event))
    pushes = [stage.entries(follower).count(post) for follower in followers]
    assert min(pushes) == 1
    assert sum(pushes) - len(pushes) <= CHUNK
    for follower in followers:
        stage.check_feed(follower)


# Case 8
def test_a_worker_paused_past_its_lease_is_fenced_when_it_resumes(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    author, followers = stage.audience(2 * PAGE)
    paused = processes.start_worker("fanout", constants=page_size(PAGE))
    hold = paused.to.hold_query("follows/followers_page", side="answer")
    post, event = stage.town.post(author)
    wake(stage, worker_storage, event)
    hold.wait(B_SECONDS)
    paused.pause()
    hold.release()  # the page is in the socket of the paused worker: the graph has answered
    other = processes.start_worker("fanout", constants=page_size(PAGE))
    wake(stage, worker_storage, event)
    eventually(lambda: is_finished(stage, event))
    newer, second = stage.town.post(author)
    wake(stage, worker_storage, second)
    eventually(lambda: is_finished(stage, second))
    paused.resume()
    eventually(lambda: paused.outcomes(event.id))
    assert paused.outcomes(event.id) == ["fenced"]
    assert other.outcomes(event.id) == ["done"]
    for follower in followers:
        assert stage.entries(follower).count(post) <= 2
        assert stage.entries(follower).count(newer) == 1
        stage.check_feed(follower)


# Case 10
def test_repeated_and_stale_jobs_in_any_order_give_the_right_feeds(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    author, followers = stage.audience(PAGE)
    events = [stage.town.post(author)[1] for _ in range(6)]
    queue = Queue("fanout", connection=worker_storage.queue.client, serializer=JSONSerializer)
    jobs: list[tuple[Any, ...]] = [(JOB_FUNCTION, "fanout", event.shard) for event in events] * 3
    jobs += [(OLD_JOB, event.id, epoch) for event in events for epoch in (0, 0, 1, 7)]
    random.Random(10).shuffle(jobs)
    for job in jobs:
        queue.enqueue(*job)
    workers = [processes.start_worker("fanout", constants=page_size(1)) for _ in range(2)]
    eventually(lambda: all(is_finished(stage, event) for event in events))
    eventually(lambda: worker_storage.queues.depth("fanout") == 0)
    for event in events:
        outcomes = [outcome for worker in workers for outcome in worker.outcomes(event.id)]
        assert outcomes == ["done"]
    for follower in followers:
        assert len(stage.entries(follower)) == len(events) + 1
        stage.check_feed(follower)


# Case 12
def test_an_event_that_kills_its_worker_is_quarantined_and_delays_no_other(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    author, followers = stage.audience(2)
    other, others = stage.audience(2)
    worker = processes.start_worker("fanout")
    post, event = stage.town.post(author)
    for _ in range(BATCH[FANOUT] - 1):  # the first claim takes all of them
        move_to(stage, stage.town.post(other)[1], event.shard)
    for attempt in range(ATTEMPTS):
        hold = worker.to.cache.hold(b"p:%d" % post)  # the first key that the fan-out reads
        wake(stage, worker_storage, event)
        neighbour = stage.town.post(other)[1]
        move_to(stage, neighbour, event.shard)
        hold.wait(B_SECONDS)
        assert current_state(stage, event).attempts == attempt + 1
        worker.kill()
        worker = processes.start_worker("fanout")
    wake(stage, worker_storage, event)
    processes.start_worker("sweeper")
    eventually(lambda: is_quarantined(stage, event))
    eventually(lambda: not stage.town.events_of(other))
    for follower in others:
        stage.check_feed(follower)
    requeued = stage.graph.events.requeue(event.id)
    assert requeued
    worker_storage.queues.wake(requeued)
    eventually(lambda: is_finished(stage, event))
    for follower in followers:
        stage.check_feed(follower)


def move_to(stage: Stage, event: Event, shard: int) -> None:
    stage.town.query(
        "MATCH (event:Event {id: $id}) SET event.shard = $shard", id=event.id, shard=shard
    )


def is_quarantined(stage: Stage, event: Event) -> bool:
    return event.id in [entry.id for entry in stage.graph.events.quarantine_page(1000)]


# Case 13
@pytest.mark.timeout(300)
def test_a_fan_out_killed_twenty_times_continues_at_its_cursor(
    stage: Stage, processes: Processes, worker_storage: Storage
) -> None:
    author, followers = stage.audience(KILLS + 2)
    post, event = stage.town.post(author)
    for kill in range(KILLS):
        worker = processes.start_worker("fanout", constants=page_size(1))
        hold = worker.to.hold_query("events/advance", side="answer")
        wake(stage, worker_storage, event)
        hold.wait(B_SECONDS)
        reached = followers[kill]
        eventually(lambda: current_state(stage, event).cursor == reached)  # noqa: B023 - called here
        worker.kill()
        assert current_state(stage, event).attempts <= 1
    processes.start_worker("fanout", constants=page_size(1))
    wake(stage, worker_storage, event)
    eventually(lambda: is_finished(stage, event))
    for follower in followers:
        assert stage.entries(follower).count(post) <= CHUNK // PAGE
        stage.check_feed(follower)
