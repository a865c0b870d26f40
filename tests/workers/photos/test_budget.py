"""The budget of decoding: one account takes the photo workers from nobody (case 54)."""

import pytest

from graph import Graph
from graph.events import Event
from graph.photos import Photo
from storage import Storage
from storage.limits import Policy, limit_key
from tests.support import images
from tests.support.outbox import run
from tests.support.town import Town
from tests.support.uploads import upload_photo
from workers import outbox
from workers.photos import budget


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Policy:
    """A budget that any picture uses up."""
    policy = Policy(name="test-decoding", quota=0, window_seconds=3_600)
    monkeypatch.setattr(budget, "_POLICY", policy)
    return policy


def uploaded(graph: Graph, storage: Storage, owner: int) -> tuple[Photo, Event]:
    photo, event = upload_photo(graph, storage, owner, images.jpeg())
    return photo, event


def state(graph: Graph, photo: Photo) -> str:
    latest = graph.photos.get(photo.id)
    assert latest
    return latest.state


# Case 54
def test_who_has_used_up_the_hours_decoding_waits_for_the_next_and_nobody_else_does(
    graph: Graph, storage: Storage, policy: Policy
) -> None:
    greedy, other = Town(graph).users(2)
    first, first_event = uploaded(graph, storage, greedy)
    second, second_event = uploaded(graph, storage, greedy)
    theirs, their_event = uploaded(graph, storage, other)
    assert run(graph, storage, first_event.id, 0) == "done"
    assert run(graph, storage, second_event.id, 0) == "put-off"
    assert run(graph, storage, their_event.id, 0) == "done"
    assert [state(graph, photo) for photo in (first, second, theirs)] == [
        "ready",
        "processing",
        "ready",
    ]
    status = graph.events.by_id(second_event.id)
    assert status
    assert status.event.attempts == 0
    assert 3_500 < (status.due_in_seconds or 0) <= 3_600
    assert (status.owed_seconds or 0) < 0, "it is not owed yet, so no alert tells of it"
    storage.cache.client.delete(limit_key(policy, greedy))  # the next hour
    Town(graph).end_lease(second_event.id)
    latest = Town(graph).find_event(second_event.id)
    assert latest
    assert run(graph, storage, latest.id, latest.epoch) == "done"
    assert state(graph, second) == "ready"


# Case 54
def test_the_photos_of_one_owner_take_turns_with_those_of_others_in_their_shard(
    graph: Graph, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(graph)
    town.put_off_all()
    greedy, other = town.users(2)
    events = [uploaded(graph, storage, greedy)[1] for _ in range(4)]
    events.append(uploaded(graph, storage, other)[1])
    assert {event.shard for event in events[:4]} == {greedy % 16}
    town.query("MATCH (e:Event) WHERE e.id IN $ids SET e.shard = 3", ids=[e.id for e in events])
    monkeypatch.setattr(outbox, "DRAIN_SECONDS", 60.0)
    outcomes = outbox.drain(graph, storage, "photos", 3)
    assert list(outcomes.values()) == ["done"] * 5
    assert list(outcomes).index(events[4].id) == 1, "after the first of the other owner"
