from functools import partial

import pytest

from graph import Graph
from graph.events import ATTEMPTS, SHARDS, Event
from graph.ids import new_id
from tests.support.maker import Maker, errors, together


@pytest.fixture
def event(make: Maker) -> Event:
    """An event that is due: of a follow."""
    ana, ben = make.users(2)
    event = make.follow(ana.id, ben.id)
    assert event
    return event


def rung(graph: Graph, event: Event) -> bool:
    """Whether the sweeper would ring for the event now."""
    return event.id in {one.id for one in graph.events.due(event.id % SHARDS, [event.kind], 10_000)}


def test_a_claim_raises_the_epoch_and_takes_the_event_away(graph: Graph, event: Event) -> None:
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


def test_of_sixteen_claims_of_one_event_one_wins(graph: Graph, make: Maker) -> None:
    for _ in range(10):
        ana, ben = make.users(2)
        event = make.follow(ana.id, ben.id)
        assert event
        outcomes = together(*[partial(graph.events.claim, event.id, 0)] * 16)
        assert not errors(outcomes)
        assert sum(outcome is not None for outcome in outcomes) == 1


def test_progress_keeps_the_cursor_and_forgives_attempts(
    graph: Graph, make: Maker, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    assert graph.events.advance(event.id, 1, 77)
    make.due_now(event.id)
    claimed = graph.events.claim(event.id, 1)
    assert claimed
    assert (claimed.epoch, claimed.cursor, claimed.attempts) == (2, 77, 1)


def test_a_worker_that_was_overtaken_is_fenced_at_every_step(
    graph: Graph, make: Maker, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    make.due_now(event.id)
    assert graph.events.claim(event.id, 1)
    assert not graph.events.advance(event.id, 1, 5)
    assert not graph.events.release(event.id, 1, delay_seconds=1)
    assert not graph.events.finish(event.id, 1)
    assert graph.events.finish(event.id, 2)
    assert not graph.events.finish(event.id, 2)


def test_an_event_without_progress_goes_into_quarantine_after_eight_attempts(
    graph: Graph, make: Maker, event: Event
) -> None:
    for epoch in range(ATTEMPTS):
        assert graph.events.claim(event.id, epoch)
        make.due_now(event.id)
    assert graph.events.claim(event.id, ATTEMPTS) is None
    assert event.id in {one.id for one in graph.events.quarantined(10_000)}
    assert graph.events.counts()["quarantined"] >= 1
    assert not rung(graph, event)
    assert not graph.events.advance(event.id, ATTEMPTS, 1)
    assert not graph.events.advance(event.id, ATTEMPTS + 1, 1)
    assert not graph.events.finish(event.id, ATTEMPTS + 1)


def test_a_requeued_event_starts_afresh_from_its_cursor(
    graph: Graph, make: Maker, event: Event
) -> None:
    assert graph.events.requeue(event.id) is None
    assert graph.events.claim(event.id, 0)
    assert graph.events.advance(event.id, 1, 42)
    for epoch in range(1, ATTEMPTS + 2):
        make.due_now(event.id)
        graph.events.claim(event.id, epoch)
    requeued = graph.events.requeue(event.id)
    assert requeued
    assert (requeued.cursor, requeued.attempts) == (42, 0)
    assert graph.events.requeue(event.id) is None
    assert graph.events.claim(event.id, requeued.epoch)


def test_an_outage_is_no_attempt(graph: Graph, make: Maker, event: Event) -> None:
    for epoch in range(2 * ATTEMPTS):
        claimed = graph.events.claim(event.id, epoch)
        assert claimed
        assert claimed.attempts == 1
        assert graph.events.release(event.id, claimed.epoch, delay_seconds=60)
        assert graph.events.claim(event.id, claimed.epoch) is None
        make.due_now(event.id)


def test_a_released_event_is_rung_again_as_soon_as_it_is_due(graph: Graph, event: Event) -> None:
    assert graph.events.claim(event.id, 0)
    assert graph.events.release(event.id, 1, delay_seconds=0)
    assert rung(graph, event)


def test_a_due_event_is_rung_once_a_lease(graph: Graph, make: Maker, event: Event) -> None:
    assert not rung(graph, event)  # who committed it rang
    make.due_now(event.id)
    assert rung(graph, event)
    assert not rung(graph, event)


def test_a_claimed_event_is_not_rung_until_its_lease_is_over(
    graph: Graph, make: Maker, event: Event
) -> None:
    assert graph.events.claim(event.id, 0)
    make.cypher("MATCH (event:Event {id: $id}) SET event.rung_at = 0", id=event.id)
    assert not rung(graph, event)
    make.due_now(event.id)
    assert rung(graph, event)


def test_the_oldest_due_event_tells_its_age(graph: Graph, make: Maker, event: Event) -> None:
    make.cypher(
        "MATCH (event:Event {id: $id}) SET event.due_at = timestamp() - 3600000", id=event.id
    )
    assert graph.events.oldest_due_seconds() >= 3600
    assert graph.events.counts()["due"] >= 1
    make.done(event)


def test_an_event_that_waits_is_counted_apart(graph: Graph, make: Maker) -> None:
    before = graph.events.counts()["waiting"]
    ana, ben = make.users(2)
    make.follow(ana.id, ben.id)
    event = make.unfollow(ana.id, ben.id)
    assert event
    assert graph.events.counts()["waiting"] >= 1
    assert before >= 0
    assert not rung(graph, event)


def test_of_eight_sweepers_at_once_one_is_given_an_event(graph: Graph, make: Maker) -> None:
    for _ in range(10):
        ana, ben = make.users(2)
        event = make.follow(ana.id, ben.id)
        assert event
        make.due_now(event.id)
        outcomes = together(*[partial(rung, graph, event)] * 8)
        assert not errors(outcomes)
        assert sum(map(bool, outcomes)) == 1
