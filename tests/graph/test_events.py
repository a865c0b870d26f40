from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from graph import Graph
from graph.events import ATTEMPTS, Event
from graph.ids import new_id
from graph.queries import Query
from tests.support.concurrency import errors, run_together
from tests.support.outbox import claim, finish, release
from tests.support.town import Town


def is_due(graph: Graph, event: Event) -> bool:
    """Whether the sweeper would ring for the event's shard because of events of its kind."""
    return (event.queue, event.shard) in {
        (due.queue, due.shard) for due in graph.events.due_shards()
    }


def test_a_claim_raises_the_epoch_and_excludes_other_claims(graph: Graph, event: Event) -> None:
    claimed = claim(graph, event.id, event.epoch)
    assert claimed
    assert (claimed.id, claimed.kind, claimed.subject_id) == (
        event.id,
        event.kind,
        event.subject_id,
    )
    assert (claimed.epoch, claimed.attempts) == (1, 1)
    assert claim(graph, event.id, 0) is None
    assert claim(graph, event.id, 1) is None
    assert claim(graph, new_id(), 0) is None


def test_of_sixteen_claims_of_one_event_one_succeeds(graph: Graph, town: Town) -> None:
    for _ in range(10):
        ana, ben = town.users(2)
        event = town.follow(ana, ben)
        assert event
        outcomes = run_together(*[partial(claim, graph, event.id, 0)] * 16)
        assert not errors(outcomes)
        assert sum(outcome is not None for outcome in outcomes) == 1


def test_progress_stores_the_cursor_and_resets_the_attempts(
    graph: Graph, town: Town, event: Event
) -> None:
    assert claim(graph, event.id, 0)
    assert graph.events.advance(event.id, 1, 77)
    town.end_lease(event.id)
    claimed = claim(graph, event.id, 1)
    assert claimed
    assert (claimed.epoch, claimed.cursor, claimed.attempts) == (2, 77, 1)


def test_a_worker_whose_lease_expired_is_fenced_at_every_step(
    graph: Graph, town: Town, event: Event
) -> None:
    assert claim(graph, event.id, 0)
    town.end_lease(event.id)
    assert claim(graph, event.id, 1)
    assert not graph.events.advance(event.id, 1, 5)
    assert release(graph, event.id, 1, delay_seconds=1) is None
    assert not finish(graph, event.id, 1)
    assert finish(graph, event.id, 2)
    assert not finish(graph, event.id, 2)


def test_an_event_without_progress_goes_into_quarantine_after_eight_attempts(
    graph: Graph, town: Town, event: Event
) -> None:
    town.put_off_all()
    for _ in range(ATTEMPTS):
        town.end_lease(event.id)
        assert claim_any(graph, event) == event.id
    town.end_lease(event.id)
    assert claim_any(graph, event) is None
    assert event.id in {quarantined.id for quarantined in graph.events.quarantine_page(10_000)}
    assert graph.events.counts()["quarantined"] >= 1
    assert not is_due(graph, event)
    assert not graph.events.advance(event.id, ATTEMPTS, 1)
    assert not graph.events.advance(event.id, ATTEMPTS + 1, 1)
    assert not finish(graph, event.id, ATTEMPTS + 1)


def test_a_requeued_event_continues_at_its_cursor_without_attempts(
    graph: Graph, town: Town, event: Event
) -> None:
    assert graph.events.requeue(event.id) is None
    assert claim(graph, event.id, 0)
    assert graph.events.advance(event.id, 1, 42)
    town.put_off_all()
    for _ in range(ATTEMPTS + 1):
        town.end_lease(event.id)
        claim_any(graph, event)
    requeued = graph.events.requeue(event.id)
    assert requeued
    assert (requeued.cursor, requeued.attempts) == (42, 0)
    assert graph.events.requeue(event.id) is None
    assert claim(graph, event.id, requeued.epoch)


def test_an_outage_is_no_attempt(graph: Graph, town: Town, event: Event) -> None:
    for claims in range(2 * ATTEMPTS):
        claimed = claim(graph, event.id, 2 * claims)  # a release raises the epoch too
        assert claimed
        assert claimed.attempts == 1
        assert release(graph, event.id, claimed.epoch, delay_seconds=60) == "released"
        assert claim(graph, event.id, claimed.epoch + 1) is None
        town.end_lease(event.id)


def test_a_release_that_is_repeated_after_a_lost_answer_does_nothing(
    graph: Graph, event: Event
) -> None:
    assert claim(graph, event.id, 0)
    assert release(graph, event.id, 1, delay_seconds=0) == "released"
    claimed = claim(graph, event.id, 2)
    assert claimed
    assert release(graph, event.id, 1, delay_seconds=0) is None
    assert finish(graph, event.id, claimed.epoch)


def claim_any(graph: Graph, event: Event) -> int | None:
    """Claim what a drain would claim next in the event's shard; the id of the one event."""
    claims = graph.events.claim(event.queue, event.shard, limit=1)
    if claims.events:
        return claims.events[0].id
    retried = graph.events.claim_retried(event.queue, event.shard).event
    return retried.id if retried else None


def one_shard(town: Town, count: int, *, kind: str = "followed") -> list[Event]:
    """Events that are due in one shard, the longest due first, and nothing else is due."""
    town.put_off_all()
    user = town.user()
    events = [town.event(kind, new_id(), user) for _ in range(count)]
    town.query(
        "UNWIND range(0, size($ids) - 1) AS at MATCH (event:Event {id: $ids[at]})"
        " SET event.shard = 3, event.due_at = timestamp() - 10000 + at",
        ids=[event.id for event in events],
    )
    return [replace(event, shard=3) for event in events]


def ids(events: Iterable[Event]) -> list[int]:
    return [event.id for event in events]


def test_a_claim_takes_the_longest_due_events_of_its_shard_and_says_whether_more_are_due(
    graph: Graph, town: Town
) -> None:
    events = one_shard(town, 5)
    assert not graph.events.claim("timelines", 4, limit=9).events
    assert not graph.events.claim("fanout", 3, limit=9).events
    first = graph.events.claim("timelines", 3, limit=3)
    assert (ids(first.events), first.more) == (ids(events[:3]), True)
    assert [(event.epoch, event.attempts) for event in first.events] == [(1, 1)] * 3
    second = graph.events.claim("timelines", 3, limit=2)
    assert (ids(second.events), second.more) == (ids(events[3:]), False)
    assert not graph.events.claim("timelines", 3, limit=9).events


def test_what_was_tried_before_is_claimed_alone(graph: Graph, town: Town) -> None:
    events = one_shard(town, 4)
    assert len(graph.events.claim("timelines", 3, limit=3).events) == 3  # and the worker dies
    for event in events[:3]:
        town.end_lease(event.id)
    claims = graph.events.claim("timelines", 3, limit=9)
    assert (ids(claims.events), claims.retried_due) == ([events[3].id], True)
    for event in events[:3]:
        retried = graph.events.claim_retried("timelines", 3).event
        assert retried
        assert (retried.id, retried.attempts) == (event.id, 2)
    assert graph.events.claim_retried("timelines", 3).event is None
    assert not graph.events.claim("timelines", 3, limit=9).retried_due


def test_a_release_makes_an_event_as_if_it_had_never_been_claimed(graph: Graph, town: Town) -> None:
    [event] = one_shard(town, 1)
    for _ in range(ATTEMPTS + 1):
        claims = graph.events.claim("timelines", 3, limit=9)
        assert ids(claims.events) == [event.id]
        assert graph.events.release(claims.events, delay_seconds=0) == {event.id: "released"}


def test_progress_makes_an_event_claimable_beside_others(graph: Graph, town: Town) -> None:
    events = one_shard(town, 2)
    [claimed, _other] = graph.events.claim("timelines", 3, limit=2).events
    assert graph.events.advance(claimed.id, claimed.epoch, 9)
    town.end_lease(claimed.id)
    claims = graph.events.claim("timelines", 3, limit=2)
    assert (ids(claims.events), claims.retried_due) == ([events[0].id], False)


def test_renewing_a_lease_resets_no_attempt(graph: Graph, town: Town) -> None:
    [event] = one_shard(town, 1)
    claimed = claim(graph, event.id, 0)
    assert claimed
    town.end_lease(event.id)
    assert graph.events.renew(claimed)
    assert not graph.events.renew(event)
    assert graph.events.claim_retried("timelines", 3).event is None, "the lease is new"
    town.end_lease(event.id)
    retried = graph.events.claim_retried("timelines", 3).event
    assert retried
    assert retried.attempts == 2


def test_concurrent_claims_of_one_shard_are_disjoint_and_leave_nothing(
    graph: Graph, town: Town
) -> None:
    events = one_shard(town, 400)

    def drain() -> list[int]:
        mine: list[int] = []
        while True:
            claims = graph.events.claim("timelines", 3, limit=16)
            assert graph.events.finish(claims.events) == set(ids(claims.events))
            mine += ids(claims.events)
            if not claims.events and not claims.more:
                return mine

    outcomes = run_together(*[drain] * 4)
    assert not errors(outcomes)
    claimed = [event_id for mine in outcomes if isinstance(mine, list) for event_id in mine]
    assert sorted(claimed) == sorted(ids(events))


# Case 54
def test_a_fair_claim_takes_the_owner_who_was_served_longest_ago(graph: Graph, town: Town) -> None:

    greedy = one_shard(town, 20)
    other = town.event("followed", new_id(), town.user())
    third = town.event("followed", new_id(), town.user())
    for event in (other, third):
        town.query("MATCH (event:Event {id: $id}) SET event.shard = 3", id=event.id)
    served: list[int] = []
    turns = []
    for _ in range(5):
        claims = graph.events.claim_fairly("timelines", 3, served=served)
        [event] = claims.events
        served.append(event.author_id)
        turns.append(event.id)
        assert claims.more
    assert turns == [greedy[0].id, other.id, third.id, greedy[1].id, greedy[2].id]


# Case 54
def test_a_fair_claim_sees_one_photo_behind_six_hundred_of_each_of_two_others(
    graph: Graph, town: Town
) -> None:
    greedy = one_shard(town, 1_200)
    town.query(
        "MATCH (event:Event) WHERE event.id IN $ids SET event.author_id = event.author_id + 1",
        ids=[event.id for event in greedy[::2]],
    )
    other = town.event("followed", new_id(), town.user())
    town.query("MATCH (event:Event {id: $id}) SET event.shard = 3", id=other.id)
    served = sorted({event.author_id for event in greedy} | {greedy[0].author_id + 1})
    [event] = graph.events.claim_fairly("timelines", 3, served=served).events
    assert event.id == other.id


def test_finishing_many_leaves_those_that_are_fenced(graph: Graph, town: Town) -> None:
    events = one_shard(town, 3)
    claimed = graph.events.claim("timelines", 3, limit=9).events
    town.end_lease(events[1].id)
    other = graph.events.claim_retried("timelines", 3).event
    assert other
    assert graph.events.finish(claimed) == {events[0].id, events[2].id}
    assert graph.events.finish([other]) == {events[1].id}


def test_a_shard_is_due_when_an_event_of_it_has_been_due_for_a_second(
    graph: Graph, town: Town
) -> None:
    town.put_off_all()
    event = town.event("followed", new_id(), town.user())
    assert graph.events.due_shards() == [], "whoever created it has rung"
    town.query("MATCH (e:Event {id: $id}) SET e.due_at = timestamp() - 1001", id=event.id)
    [due] = graph.events.due_shards()
    assert (due.queue, due.shard, due.count) == ("timelines", event.shard, 1)
    assert graph.events.due_shards(["fanout"]) == []
    assert claim(graph, event.id, 0)
    assert graph.events.due_shards() == []


def test_events_of_the_version_before_are_adopted(graph: Graph, town: Town) -> None:
    town.put_off_all()
    user = town.user()
    old = [town.event("post-published", new_id(), user, attempts=n) for n in (0, 3)]
    unknown = town.event("of-the-next-version", 1, user)
    town.query(
        "MATCH (event:Event) WHERE event.id IN $ids SET event.rung_at = 0"
        " REMOVE event.queue, event.tried, event.owed_at",
        ids=[*ids(old), unknown.id],
    )
    for event in old:
        assert not graph.events.claim("fanout", event.shard, limit=9).events
    assert graph.events.adopt() == 2
    assert graph.events.adopt() == 0
    assert ids(graph.events.claim("fanout", old[0].shard, limit=9).events) == [old[0].id]
    retried = graph.events.claim_retried("fanout", old[1].shard).event
    assert retried
    assert (retried.id, retried.attempts) == (old[1].id, 4)
    status = graph.events.by_id(old[0].id)
    assert status
    assert status.owed_seconds is not None


def test_adopting_goes_on_while_a_page_is_full_and_no_longer(
    graph: Graph, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.query("MATCH (event:Event) WHERE event.rung_at >= 0 REMOVE event.rung_at")
    monkeypatch.setattr("graph.events.ADOPT_PAGE", 2)
    write, adoptions = graph.connection.write, []

    def count_and_write(query: Query, **parameters: Any) -> list[dict[str, Any]]:
        adoptions.append(query.name)
        return write(query, **parameters)

    old = [town.event("followed", new_id(), 1) for _ in range(5)]
    town.query(
        "MATCH (event:Event) WHERE event.id IN $ids SET event.rung_at = 0 REMOVE event.queue",
        ids=ids(old),
    )
    monkeypatch.setattr(graph.connection, "write", count_and_write)
    assert graph.events.adopt() == 5
    assert adoptions == ["events/adopt"] * 3
