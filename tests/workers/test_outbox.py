"""The job of a worker: claim, work, finish, and every outcome in between."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from graph import Graph
from graph.event_kinds import KINDS, QUEUES
from graph.events import ATTEMPTS, Event
from storage import Storage
from storage.timeline_layout import timeline_key
from tests.support.eventually import eventually
from tests.support.exports import ask
from tests.support.outbox import claim, run
from tests.support.stage import Stage, empty_queues
from tests.workers.test_fan_out_batch import in_one_shard
from workers import endings, fan_out, outbox
from workers.__main__ import WORKER_NAMES
from workers.endings import GIVE_UP_SECONDS
from workers.handlers import HANDLERS
from workers.outages import Outages
from workers.outbox import drain


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """No outage of another test keeps this process from a queue."""
    monkeypatch.setattr(outbox, "_outages", Outages())


def test_every_kind_of_event_has_a_handler_and_a_queue_and_every_queue_a_worker() -> None:
    assert HANDLERS.keys() == KINDS.keys()
    assert {kind.queue for kind in KINDS.values()} == set(QUEUES)
    assert set(WORKER_NAMES) == {*QUEUES, "sweeper", "notifier"}


def test_a_job_that_runs_twice_is_done_once(stage: Stage) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    assert stage.do(event) == "done"
    assert stage.do(event) == "stale"


def test_a_job_with_an_old_epoch_does_nothing_even_after_the_lease(
    stage: Stage,
) -> None:
    _post, event = stage.town.post(stage.town.user())
    assert claim(stage.graph, event.id, event.epoch), "the worker dies here"
    stage.town.end_lease(event.id)
    assert stage.do(event) == "stale"
    assert stage.do(stage.town.find_event(event.id)) == "done"


def test_an_outage_of_the_graph_during_a_job_counts_as_no_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 32, for the workers."""
    monkeypatch.setattr("graph.connection.WRITE_RETRY_SECONDS", 0.2)
    monkeypatch.setattr("graph.connection.READ_RETRY_SECONDS", 0.2)
    proxied = stage.behind_proxies()
    _post, event = stage.town.post(stage.town.user())
    hold = proxied.hold_query("follows/followers_page")
    working = stage.begin(run, proxied.graph, proxied.storage, event.id, event.epoch)
    hold.wait()
    proxied.to.graph.down()
    hold.release()
    refused = proxied.to.graph.refused
    eventually(lambda: proxied.to.graph.refused > refused + 12)  # several tries of release
    proxied.to.graph.up()
    assert working.result(30) == "outage"
    again = stage.town.find_event(event.id)
    assert again
    assert (again.attempts, again.epoch) == (0, 2), "the claim and the release raise it"
    stage.town.end_lease(event.id)
    assert stage.do(again) == "done"


def test_a_job_before_its_due_time_does_nothing(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    event = stage.town.unfollow(viewer, author)
    assert stage.do(event) == "stale"
    assert stage.town.find_event(event.id if event else 0) == event


def test_an_outage_of_the_cache_counts_as_no_attempt_and_the_event_is_due_again(
    stage: Stage,
) -> None:
    author = stage.town.user()
    proxied = stage.behind_proxies()
    _post, event = stage.town.post(author)
    with proxied.to.cache.outage():
        for _ in range(10):
            again = stage.town.find_event(event.id)
            assert again
            assert again.attempts == 0
            assert run(proxied.graph, proxied.storage, again.id, again.epoch) == "outage"
            stage.town.end_lease(event.id)
    assert stage.do(stage.town.find_event(event.id)) == "done"


# Case 51
def test_work_that_a_store_puts_off_for_a_day_is_given_up_while_other_work_is_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_done_at", {})
    proxied = stage.behind_proxies()
    _post, event = stage.town.post(stage.town.user())
    _post, other = stage.town.post(stage.town.user())

    def try_in_an_outage() -> str:
        again = stage.town.find_event(event.id)
        assert again
        with proxied.to.cache.outage():
            outcome = run(proxied.graph, proxied.storage, again.id, again.epoch)
        stage.town.end_lease(event.id)
        return outcome

    assert stage.do(other) == "done"
    assert try_in_an_outage() == "outage", "it has not been owed for long"
    stage.town.query(
        "MATCH (event:Event {id: $id}) SET event.owed_at = timestamp() - $ms",
        id=event.id,
        ms=int(1000 * GIVE_UP_SECONDS) + 1,
    )
    monkeypatch.setattr(endings, "_done_at", {})
    assert try_in_an_outage() == "outage", "no other work is done: everything may be away"
    _post, other = stage.town.post(stage.town.user())
    assert stage.do(other) == "done"
    assert try_in_an_outage() == "given-up"
    status = stage.graph.events.by_id(event.id)
    assert status
    assert status.state == "quarantined"


def test_a_refusal_counts_as_an_attempt_and_ends_in_quarantine(stage: Stage) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    stage.storage.cache.client.set(timeline_key(author), "no list")
    for attempt in range(ATTEMPTS):
        again = stage.town.find_event(event.id)
        assert again
        assert again.attempts == attempt
        assert stage.do(again) == "failed"
        stage.town.end_lease(event.id)
    assert stage.drain(event)[event.id] == "quarantined"
    assert event.id in {
        quarantined.id for quarantined in stage.graph.events.quarantine_page(10_000)
    }
    stage.evict_list(author)


def test_an_outage_of_the_graph_before_a_job_leaves_the_event_as_it_was(stage: Stage) -> None:
    _post, event = stage.town.post(stage.town.user())
    proxied = stage.behind_proxies()
    with proxied.to.graph.outage():
        assert drain(proxied.graph, proxied.storage, event.queue, event.shard) == {}
    assert stage.do(event) == "done"


def test_an_error_in_a_handler_is_logged_with_its_trace_and_counts_as_an_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RQsTimeOutError(Exception):
        """Stands for JobTimeoutException, which is an Exception too and must end the job."""

    def time_out(_graph: Graph, _storage: Storage, _event: Event) -> None:
        raise RQsTimeOutError

    monkeypatch.setitem(HANDLERS, "post-published", time_out)
    _post, event = stage.town.post(stage.town.user())
    with capture_logs() as lines:
        assert stage.do(event) == "failed"
    [line] = [line for line in lines if line["event"] == "job failed"]
    assert line["exc_info"]
    pending = stage.town.find_event(event.id)
    assert pending
    assert pending.attempts == 1


# Case 15
def test_a_fan_out_beyond_its_time_leaves_the_rest_to_another_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, *followers = stage.town.users(4)
    stage.town.add_followers(author, followers)
    for follower in followers:
        stage.build(follower)
    monkeypatch.setattr(fan_out, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(fan_out, "PAGE", 1)
    monkeypatch.setattr(outbox, "DRAIN_SECONDS", 0.0)
    stage.town.put_off_all()
    _post, event = stage.town.post(author)
    pending: Event | None = event
    jobs = rings = 0
    while pending:
        empty_queues(stage.storage)
        stage.storage.queues.silence(event.queue, event.shard)
        assert stage.drain(event)[event.id] in {"continued", "done"}
        rings += stage.storage.queues.depth("fanout")
        pending = stage.town.find_event(event.id)
        jobs += 1
        assert pending is None or pending.attempts == 0, "the job made progress"
    assert jobs == 4, "author and first follower, second follower, third follower, the end"
    assert rings == 3
    for follower in followers:
        stage.check_feed(follower)


# Case 16
def test_an_event_that_is_committed_while_a_job_claims_rings_again(stage: Stage) -> None:
    stage.town.put_off_all()
    empty_queues(stage.storage)
    _post, event = stage.town.post(stage.town.user())
    assert stage.storage.queues.ring(event.queue, event.shard)
    proxied = stage.behind_proxies()
    hold = proxied.hold_query("events/claim")
    working = stage.begin(drain, proxied.graph, proxied.storage, event.queue, event.shard)
    hold.wait()
    assert stage.storage.queues.ring(event.queue, event.shard)
    hold.release()
    assert working.result(30) == {event.id: "done"}


def test_a_job_that_has_taken_long_leaves_retried_events_to_the_next_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of an export takes up to 45 s, and RQ ends a job after 60 s."""
    monkeypatch.setattr(outbox, "RETRY_SECONDS", -1.0, raising=False)
    monkeypatch.setattr(outbox, "DRAIN_SECONDS", -1.0)
    tried, *fresh = (ask(stage.graph, user)[1] for user in stage.town.users(3))
    in_one_shard(stage, tried, *fresh)
    stage.town.query(
        "MATCH (event:Event {id: $id}) SET event.attempts = 1, event.tried = true", id=tried.id
    )
    event = stage.town.find_event(tried.id)
    assert event
    jobs = [list(stage.drain(event)) for _ in range(3)]
    assert jobs == [[fresh[0].id], [tried.id], [fresh[1].id]]


def test_a_fan_out_without_progress_is_logged_and_counts_as_an_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push_to_nobody(*_: Any, **__: Any) -> int:
        return 0

    author = stage.town.user()
    monkeypatch.setattr(fan_out, "STALL_SECONDS", 0.0)
    monkeypatch.setattr(type(stage.storage.timelines), "push_many", push_to_nobody)
    _post, event = stage.town.post(author)
    with capture_logs() as lines:
        assert stage.do(event) == "failed"
    [line] = [line for line in lines if line["event"] == "job stalled"]
    assert "exc_info" not in line, "a process that was paused is no bug"
    pending = stage.town.find_event(event.id)
    assert pending
    assert pending.attempts == 1
