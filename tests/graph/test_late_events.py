"""The age of events that are due, what is owed for too long, and what waits."""

from graph import Graph
from graph.event_kinds import EXPORTS
from graph.events import Event
from tests.support.outbox import claim, finish, release
from tests.support.town import Town


def test_the_age_of_the_oldest_due_event_is_reported(
    graph: Graph, town: Town, event: Event
) -> None:
    town.query(
        "MATCH (event:Event {id: $id}) SET event.due_at = timestamp() - 3600000", id=event.id
    )
    assert graph.events.oldest_due_seconds() >= 3600
    assert graph.events.counts()["due"] >= 1
    town.query("MATCH (event:Event {id: $id}) DELETE event", id=event.id)


def test_exports_that_wait_for_each_other_are_no_late_work(
    graph: Graph, town: Town, event: Event
) -> None:
    town.query(
        "MATCH (event:Event {id: $id}) SET event.queue = 'exports',"
        " event.due_at = timestamp() - 7200000, event.owed_at = timestamp() - 7200000",
        id=event.id,
    )
    assert graph.events.oldest_due_seconds() < 7200
    assert graph.events.oldest_owed_seconds() < 7200
    assert graph.events.oldest_due_seconds([EXPORTS]) >= 7200
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
    for claims in range(3):
        assert claim(graph, event.id, 2 * claims)
        assert graph.events.advance(event.id, 2 * claims + 1, 5)
        assert release(graph, event.id, 2 * claims + 1, delay_seconds=0)
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
    claimed = claim(graph, event.id, 0)
    assert claimed
    released = graph.events.release([claimed], delay_seconds=0, longest_seconds=1_000)
    assert released == {event.id: "released"}
    claimed = claim(graph, event.id, 2)
    assert claimed
    released = graph.events.release([claimed], delay_seconds=0, longest_seconds=99)
    assert released == {event.id: "quarantined"}
    status = graph.events.by_id(event.id)
    assert status
    assert status.state == "quarantined"
    assert not finish(graph, event.id, claimed.epoch)
    requeued = graph.events.requeue(event.id)
    assert requeued
    assert claim(graph, event.id, requeued.epoch)


def test_waiting_events_are_counted_separately(graph: Graph, town: Town) -> None:
    ana, ben = town.users(2)
    town.follow(ana, ben)
    event = town.unfollow(ana, ben)
    assert event
    counts = graph.events.counts()
    status = graph.events.by_id(event.id)
    assert status
    assert status.state in {"waiting", "due"}
    if status.state == "waiting":  # a busy machine can take the 30 s for which it waits
        assert counts["waiting"] >= 1
