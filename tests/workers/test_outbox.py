from typing import Any

import pytest
from structlog.testing import capture_logs

from graph import Graph
from graph.event_kinds import KINDS, QUEUES
from graph.events import ATTEMPTS, Event
from storage import Storage
from tests.support.eventually import eventually
from tests.support.stage import Stage
from workers import fan_out
from workers.__main__ import NAMES
from workers.handlers import HANDLERS
from workers.outbox import run


def test_every_kind_of_event_has_a_job_and_a_queue_and_every_queue_a_worker() -> None:
    assert HANDLERS.keys() == KINDS.keys()
    assert {kind.queue for kind in KINDS.values()} == set(QUEUES)
    assert set(NAMES) == {*QUEUES, "sweeper"}


def test_a_job_rung_twice_is_done_once(stage: Stage) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    assert stage.do(event) == "done"
    assert stage.do(event) == "stale"


def test_a_job_rung_before_the_last_claim_does_nothing_even_when_that_lease_is_over(
    stage: Stage,
) -> None:
    _post, event = stage.town.post(stage.town.user())
    assert stage.graph.events.claim(event.id, event.epoch), "and here that worker dies"
    stage.town.end_lease(event.id)
    assert stage.do(event) == "stale"
    assert stage.do(stage.town.find_event(event.id)) == "done"


def test_a_graph_that_goes_away_under_a_job_is_no_attempt_either(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 32, for the workers."""
    monkeypatch.setattr("graph.connection.WRITE_REPEAT_SECONDS", 0.2)
    monkeypatch.setattr("graph.connection.READ_REPEAT_SECONDS", 0.2)
    cut_off = stage.behind_proxies()
    _post, event = stage.town.post(stage.town.user())
    hold = cut_off.at_query("follows/followers_page")
    working = stage.begin(run, cut_off.graph, cut_off.storage, event.id, event.epoch)
    hold.wait()
    cut_off.to_graph.down()
    hold.release()
    refused = cut_off.to_graph.refused
    eventually(lambda: cut_off.to_graph.refused > refused + 12)  # several tries to give it back
    cut_off.to_graph.up()
    assert working.result(30) == "outage"
    again = stage.town.find_event(event.id)
    assert again
    assert (again.attempts, again.epoch) == (0, 1)
    stage.town.end_lease(event.id)
    assert stage.do(again) == "done"


def test_a_job_that_comes_before_its_time_does_nothing(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    event = stage.graph.follows.delete(follower_id=viewer, followee_id=author)
    assert stage.do(event) == "stale"
    assert stage.town.find_event(event.id if event else 0) == event


def test_a_cache_that_is_away_is_no_attempt_and_the_event_is_soon_due_again(stage: Stage) -> None:
    author = stage.town.user()
    cut_off = stage.behind_proxies()
    _post, event = stage.town.post(author)
    with cut_off.to_cache.outage():
        for _ in range(10):
            again = stage.town.find_event(event.id)
            assert again
            assert again.attempts == 0
            assert run(cut_off.graph, cut_off.storage, again.id, again.epoch) == "outage"
            stage.town.end_lease(event.id)
    assert stage.do(stage.town.find_event(event.id)) == "done"


def test_a_refusal_counts_as_an_attempt_and_ends_in_quarantine(stage: Stage) -> None:
    author = stage.town.user()
    _post, event = stage.town.post(author)
    stage.storage.cache.client.set(f"tl:{author:014x}", "no list")
    for attempt in range(ATTEMPTS):
        again = stage.town.find_event(event.id)
        assert again
        assert again.attempts == attempt
        assert stage.do(again) == "failed"
        stage.town.end_lease(event.id)
    assert stage.do(stage.town.find_event(event.id)) == "stale"
    assert event.id in {one.id for one in stage.graph.events.quarantined(10_000)}
    stage.evict_list(author)


def test_a_graph_that_is_away_leaves_the_event_to_the_sweeper(stage: Stage) -> None:
    _post, event = stage.town.post(stage.town.user())
    cut_off = stage.behind_proxies()
    with cut_off.to_graph.outage():
        assert run(cut_off.graph, cut_off.storage, event.id, event.epoch) == "outage"
    assert stage.do(event) == "done"


def test_a_handlers_mistake_is_logged_with_its_trace_and_counts_as_an_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RQsTimeOutError(Exception):
        """JobTimeoutException is an Exception like any other: it must end the job all the same."""

    def late(_graph: Graph, _storage: Storage, _event: Event) -> None:
        raise RQsTimeOutError

    monkeypatch.setitem(HANDLERS, "post-published", late)
    _post, event = stage.town.post(stage.town.user())
    with capture_logs() as lines:
        assert stage.do(event) == "failed"
    [line] = [line for line in lines if line["event"] == "job failed"]
    assert line["exc_info"]
    owed = stage.town.find_event(event.id)
    assert owed
    assert owed.attempts == 1


def test_a_fan_out_whose_time_is_up_rings_for_the_rest(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, *followers = stage.town.users(4)
    stage.town.followers(author, followers)
    for follower in followers:
        stage.build(follower)
    monkeypatch.setattr(fan_out, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(fan_out, "PAGE", 1)
    before = stage.storage.queues.depth("fanout")
    _post, event = stage.town.post(author)
    owed: Event | None = event
    slices = 0
    while owed:
        assert stage.do(owed) in {"continued", "done"}
        owed = stage.town.find_event(event.id)
        slices += 1
        assert owed is None or owed.attempts == 0, "it made progress"
    assert slices == 4, "the author with the first of three followers, the others, the end"
    assert stage.storage.queues.depth("fanout") - before == 3
    for follower in followers:
        stage.right(follower)


def test_a_fan_out_without_progress_counts_as_an_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers_nobody(*_: Any, **__: Any) -> int:
        return 0

    author = stage.town.user()
    monkeypatch.setattr(fan_out, "STALL_SECONDS", 0.0)
    monkeypatch.setattr(type(stage.storage.timelines), "push", answers_nobody)
    _post, event = stage.town.post(author)
    assert stage.do(event) == "failed"
    owed = stage.town.find_event(event.id)
    assert owed
    assert owed.attempts == 1
