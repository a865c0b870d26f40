from functools import partial

import pytest

from graph import Graph
from graph.events import ATTEMPTS, SHARDS, Event
from graph.ids import new_id
from tests.support.concurrency import errors, run_together
from tests.support.town import Town


@pytest.fixture
def event(town: Town) -> Event:
    """The event of a follow, which is due."""
    ana, ben = town.users(2)
    event = town.follow(ana, ben)
    assert event
    return event


def is_selected(graph: Graph, event: Event) -> bool:
    """Whether the sweeper selects the event for a wake now."""
    events = graph.events.select_for_wake(event.id % SHARDS, [event.kind], 10_000)
    return event.id in {selected.id for selected in events}


def test_a_claim_raises_the_epoch_and_excludes_other_claims(graph: Graph, event: Event) -> None:
    claimed = graph.events.claim(event.id, event.epoch)
    assert claimed
    assert (claimed.id, claimed.kind, claimed.subject_id) == (
        event.id,
        event.kind,
        event.subject_id,
    )
    assert (claimed.epoch, claimed.attempts) == (1, 1)
    assert graph.events.claim(event.id, 0) is None
    assert graph.events.claim(event.id, 1) is None
    assert graph.events.claim(new_id(), 0) is None


def test_of_sixteen_claims_of_one_event_one_succeeds(graph: Graph, town: Town) -> None:
    for _ in range(10):
        ana, ben = town.users(2)
        event = town.follow(ana, ben)
        assert event
        outcomes = run_together(*[partial(graph.events.claim, event.id, 0)] * 16)
        assert not errors(outcomes)
        assert sum(outcome is not None for outcome in outcomes) == 1


def test_progress_stores_the_cursor_and_resets_the_attempts(
    graph: Graph, town: Town, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    assert graph.events.advance(event.id, 1, 77)
    town.end_lease(event.id)
    claimed = graph.events.claim(event.id, 1)
    assert claimed
    assert (claimed.epoch, claimed.cursor, claimed.attempts) == (2, 77, 1)


def test_a_worker_whose_lease_expired_is_fenced_at_every_step(
    graph: Graph, town: Town, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    town.end_lease(event.id)
    assert graph.events.claim(event.id, 1)
    assert not graph.events.advance(event.id, 1, 5)
    assert graph.events.release(event.id, 1, delay_seconds=1) == "fenced"
    assert not graph.events.finish(event.id, 1)
    assert graph.events.finish(event.id, 2)
    assert not graph.events.finish(event.id, 2)


def test_an_event_without_progress_goes_into_quarantine_after_eight_attempts(
    graph: Graph, town: Town, event: Event
) -> None:
    for epoch in range(ATTEMPTS):
        assert graph.events.claim(event.id, epoch)
        town.end_lease(event.id)
    assert graph.events.claim(event.id, ATTEMPTS) is None
    assert event.id in {quarantined.id for quarantined in graph.events.quarantine_page(10_000)}
    assert graph.events.counts()["quarantined"] >= 1
    assert not is_selected(graph, event)
    assert not graph.events.advance(event.id, ATTEMPTS, 1)
    assert not graph.events.advance(event.id, ATTEMPTS + 1, 1)
    assert not graph.events.finish(event.id, ATTEMPTS + 1)


def test_a_requeued_event_continues_at_its_cursor_without_attempts(
    graph: Graph, town: Town, event: Event
) -> None:
    assert graph.events.requeue(event.id) is None
    assert graph.events.claim(event.id, 0)
    assert graph.events.advance(event.id, 1, 42)
    for epoch in range(1, ATTEMPTS + 2):
        town.end_lease(event.id)
        graph.events.claim(event.id, epoch)
    requeued = graph.events.requeue(event.id)
    assert requeued
    assert (requeued.cursor, requeued.attempts) == (42, 0)
    assert graph.events.requeue(event.id) is None
    assert graph.events.claim(event.id, requeued.epoch)


def test_an_outage_is_no_attempt(graph: Graph, town: Town, event: Event) -> None:
    for epoch in range(2 * ATTEMPTS):
        claimed = graph.events.claim(event.id, epoch)
        assert claimed
        assert claimed.attempts == 1
        assert graph.events.release(event.id, claimed.epoch, delay_seconds=60) == "released"
        assert graph.events.claim(event.id, claimed.epoch) is None
        town.end_lease(event.id)


def test_a_released_event_is_selected_for_a_wake_as_soon_as_it_is_due(
    graph: Graph, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    assert graph.events.release(event.id, 1, delay_seconds=0) == "released"
    assert is_selected(graph, event)


def test_a_due_event_is_selected_for_a_wake_once_a_lease(
    graph: Graph, town: Town, event: Event
) -> None:
    assert not is_selected(graph, event)  # the wake of its commit
    town.end_lease(event.id)
    assert is_selected(graph, event)
    assert not is_selected(graph, event)


def test_a_claimed_event_is_not_selected_for_a_wake_until_its_lease_expires(
    graph: Graph, town: Town, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    town.query("MATCH (event:Event {id: $id}) SET event.rung_at = 0", id=event.id)
    assert not is_selected(graph, event)
    town.end_lease(event.id)
    assert is_selected(graph, event)


def test_the_age_of_the_oldest_due_event_is_reported(
    graph: Graph, town: Town, event: Event
) -> None:
    town.query(
        "MATCH (event:Event {id: $id}) SET event.due_at = timestamp() - 3600000", id=event.id
    )
    assert graph.events.oldest_due_seconds() >= 3600
    assert graph.events.counts()["due"] >= 1
    town.query("MATCH (event:Event {id: $id}) DELETE event", id=event.id)


def owe_for(town: Town, event: Event, seconds: float) -> None:
    town.query(
        "MATCH (event:Event {id: $id}) SET event.owed_at = timestamp() - $ms",
        id=event.id,
        ms=int(1000 * seconds),
    )


# Case 51
def test_the_age_of_an_event_counts_from_its_first_due_time_however_often_it_is_claimed(
    graph: Graph, town: Town, event: Event
) -> None:
    owe_for(town, event, 36_000)
    for epoch in range(3):
        assert graph.events.claim(event.id, epoch)
        assert graph.events.advance(event.id, epoch + 1, 5)
        assert graph.events.release(event.id, epoch + 1, delay_seconds=0)
        assert graph.events.oldest_owed_seconds() >= 36_000
    status = graph.events.by_id(event.id)
    assert status
    assert 36_000 <= (status.owed_seconds or 0) < 36_100
    assert graph.events.quarantine(event.id)
    assert graph.events.oldest_owed_seconds() < 36_000
    assert graph.events.requeue(event.id)
    status = graph.events.by_id(event.id)
    assert status
    assert 0 <= (status.owed_seconds or 0) < 100


def test_an_event_of_an_earlier_version_has_an_age_from_its_first_claim_on(
    graph: Graph, town: Town, event: Event
) -> None:
    town.query("MATCH (event:Event {id: $id}) REMOVE event.owed_at", id=event.id)
    assert graph.events.claim(event.id, 0)
    status = graph.events.by_id(event.id)
    assert status
    assert status.owed_seconds is not None


def test_an_event_is_owed_from_the_time_at_which_it_is_first_due(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    event = town.unfollow(ana, ben)
    assert event
    status = graph.events.by_id(event.id)
    assert status
    assert (status.owed_seconds or 0) < 0


# Case 51
def test_an_outage_of_an_event_that_was_owed_for_too_long_ends_in_quarantine(
    graph: Graph, town: Town, event: Event
) -> None:
    owe_for(town, event, 100)
    assert graph.events.claim(event.id, 0)
    released = graph.events.release(event.id, 1, delay_seconds=0, longest_seconds=1_000)
    assert released == "released"
    assert graph.events.claim(event.id, 1)
    released = graph.events.release(event.id, 2, delay_seconds=0, longest_seconds=99)
    assert released == "quarantined"
    status = graph.events.by_id(event.id)
    assert status
    assert status.state == "quarantined"
    assert not graph.events.finish(event.id, 2)
    requeued = graph.events.requeue(event.id)
    assert requeued
    assert graph.events.claim(event.id, requeued.epoch)


def test_waiting_events_are_counted_separately(graph: Graph, town: Town) -> None:
    before = graph.events.counts()["waiting"]
    ana, ben = town.users(2)
    town.follow(ana, ben)
    event = town.unfollow(ana, ben)
    assert event
    assert graph.events.counts()["waiting"] >= 1
    assert before >= 0
    assert not is_selected(graph, event)


def test_of_eight_concurrent_sweepers_one_gets_an_event(graph: Graph, town: Town) -> None:
    for _ in range(10):
        ana, ben = town.users(2)
        event = town.follow(ana, ben)
        assert event
        town.end_lease(event.id)
        outcomes = run_together(*[partial(is_selected, graph, event)] * 8)
        assert not errors(outcomes)
        assert sum(map(bool, outcomes)) == 1
